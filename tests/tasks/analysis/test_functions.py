"""Cells, comparisons, regimes, agreement and drift on answers of known truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import false_discovery_control
from valueflow_scorers import IntensityEstimate, ValueFlowError
from valueflow_scorers._plackett_luce import GRID

from valueflow_tasks.analysis import (
    Answered,
    Runs,
    adjusted,
    agreement,
    cells,
    compare,
    difference,
    drift,
    load_runs,
    magnitude,
    number,
    overall,
    protocol_differences,
    regimes,
    saturation,
)
from valueflow_tasks.analysis._drift import arrival
from valueflow_tasks.analysis._regimes import regime, value_type
from valueflow_tasks.settings import RESULTS_VERSION

NOISE = 0.6


def estimate_at(intensity: float, name: str) -> IntensityEstimate:
    return IntensityEstimate(
        intensity, NOISE, value="a/x", sentences={name: 1}, response_id=name,
        log_likelihood=-0.5 * ((GRID - intensity) / NOISE) ** 2, sensitivities=np.zeros(1),
    )  # fmt: skip


def table(means: dict[float, float], spread: float = 1.0, n: int = 30, who: str = "") -> Any:
    """Answers whose level means are exact; every query is as far off at every level."""
    offsets = spread * np.linspace(-1, 1, n)
    return {
        level: {f"q{i}": estimate_at(mean + offsets[i], f"{who}{level}{i}") for i in range(n)}
        for level, mean in means.items()
    }


# -- numbers and differences


def test_numbers_of_known_means() -> None:
    own = table({-2.0: -3.0, 0.0: 1.0, 2.0: 4.0})
    assert number(own, "intensity").estimate == pytest.approx(1, abs=0.05)
    assert number(own, "shift_up").estimate == pytest.approx(3, abs=0.05)
    assert number(own, "shift_down").estimate == pytest.approx(4, abs=0.05)
    assert number(own, "share_up").estimate == pytest.approx(3 / 9, abs=0.01)
    assert number(own, "gain").estimate == pytest.approx(7 / 4, abs=0.02)
    steerability = number(own, "steerability").estimate
    assert steerability == pytest.approx((3 / 9 + 4 / 11) / 2, abs=0.01)


def test_what_queries_share_cancels_in_a_difference() -> None:
    a = table({0.0: 0.0, 2.0: 2.0}, spread=4.0)
    b = table({0.0: 0.0, 2.0: 3.0}, spread=4.0, who="b")
    gap = difference(a, b, "shift_up")
    assert gap.estimate == pytest.approx(1, abs=0.1)
    assert gap.stderr < 0.35
    assert number(a, "intensity").stderr > 0.35
    assert gap.p_value < 0.01


def test_a_statistic_without_its_levels_is_refused() -> None:
    with pytest.raises(ValueFlowError, match="needs level 0"):
        number(table({1.0: 1.0, 2.0: 2.0}), "gain")
    with pytest.raises(ValueFlowError, match="unknown statistic"):
        number(table({0.0: 1.0, 2.0: 2.0}), "slope")


def test_a_statistic_of_both_sides_needs_both() -> None:
    one_sided = table({0.0: 0.0, 1.0: 1.0, 2.0: 2.0})
    assert number(one_sided, "shift_up").estimate == pytest.approx(2, abs=0.05)
    for name in ("steerability", "shift_down", "share_down"):
        with pytest.raises(ValueFlowError, match="needs levels on its side of 0"):
            number(one_sided, name)


def test_no_common_query_is_refused() -> None:
    a, b = table({0.0: 0.0}), table({0.0: 0.0})
    b = {0.0: {f"other{name}": one for name, one in b[0.0].items()}}
    with pytest.raises(ValueFlowError, match="no query"):
        difference(a, b, "intensity")


# -- tables


def test_cells_hold_level_0_once(inspect_folder: Path) -> None:
    found = cells(load_runs(inspect_folder))
    plain = found[found.level == 0]
    assert len(plain) == 2 * 2  # models, values
    assert set(plain.method) == {""}
    assert len(found) == 4 + 2 * 2 * 4
    oracle = found[(found.model == "valueflow-control-oracle") & (found.level == 2)]
    assert (oracle["mean"] > 6).all()
    assert ((oracle.low < oracle["mean"]) & (oracle["mean"] < oracle.high)).all()
    assert (oracle.n == 20).all()


def test_cells_that_were_drawn_are_not_computed_again(
    inspect_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = cells(load_runs(inspect_folder))
    runs = load_runs(inspect_folder)
    overall(runs)

    def again(*_: Any) -> Any:
        raise AssertionError("a cell was computed again")

    monkeypatch.setattr("valueflow_scorers._cells.Cell.__init__", again)
    after = cells(runs)
    assert list(after.columns) == list(alone.columns)
    for name in alone:  # to the last digit
        assert after[name].tolist() == alone[name].tolist()


def test_models_are_compared_pairwise(inspect_folder: Path) -> None:
    runs = load_runs(inspect_folder)
    found = compare(runs, "steerability", "model")
    assert len(found) == 2
    assert set(found.a) == {"valueflow-control-inert"}
    assert (found.estimate > 0.5).all()
    assert found.differs.all()
    turned = compare(runs, "steerability", "model", baseline="valueflow-control-oracle")
    assert (turned.estimate < -0.5).all()
    same = compare(runs, "intensity", "model")  # unsteered, both give one and the same answer
    assert not same.differs.any()
    assert np.allclose(same.estimate, 0, atol=1e-9)


def test_values_are_compared_with_independent_rulers(inspect_folder: Path) -> None:
    found = compare(load_runs(inspect_folder), "gain", "target")
    assert set(zip(found.a, found.b, strict=True)) == {("mft/care", "mft/loyalty")}


def test_runs_of_other_settings_are_not_compared(
    inspect_folder: Path, lm_eval_folder: Path
) -> None:
    runs = load_runs([inspect_folder, lm_eval_folder])
    told = protocol_differences(runs)
    assert any(line.startswith("queries put: all in") for line in told)
    with pytest.raises(ValueFlowError, match="protocol_differences"):
        compare(load_runs(lm_eval_folder), "gain", "model")


def changed(runs: Runs, model: str, change: Callable[[Answered], Answered | None]) -> Runs:
    """The runs with every answer of one model changed, or left out."""
    return replace(
        runs,
        runs=tuple(
            replace(run, answers=tuple(new for one in run.answers if (new := change(one))))
            if model in run.model
            else run
            for run in runs.runs
        ),
    )


def test_fewer_levels_are_another_number(inspect_folder: Path) -> None:
    runs = changed(
        load_runs(inspect_folder),
        "inert",
        lambda one: None if set(one.targets.values()) & {-1.0, 1.0} else one,
    )
    (told,) = (line for line in protocol_differences(runs) if line.startswith("levels: "))
    assert "['-2', '-1', '+1', '+2'] in" in told
    assert "['-2', '+2'] in" in told
    with pytest.raises(ValueFlowError, match="levels"):
        compare(runs, "gain", "model")
    assert len(compare(runs, "intensity", "model")) == 2, "unsteered answers have one level"


def test_other_rulers_are_another_setting(inspect_folder: Path) -> None:
    def elsewhere(one: Answered) -> Answered:
        estimates = {
            value: {**own, "panel": "0" * 16} if value == "mft/care" else own
            for value, own in one.estimates.items()
        }
        return replace(one, estimates=estimates)

    whole = load_runs(inspect_folder)
    runs = changed(whole, "inert", elsewhere)
    assert runs.frame.setting.nunique() == 2
    assert runs.frame.setting.iloc[0] == whole.frame.setting.iloc[0]
    assert any(line.startswith("panel of mft/care: ") for line in protocol_differences(runs))
    with pytest.raises(ValueFlowError, match="protocol_differences"):
        compare(runs, "gain", "model")


def test_runs_of_another_task_version_are_not_compared(inspect_folder: Path) -> None:
    runs = load_runs(inspect_folder)
    assert [run.results_version for run in runs.runs] == [RESULTS_VERSION] * 2
    inert, oracle = sorted(runs.runs, key=lambda run: run.model)
    older = replace(inert, task_version=f"{RESULTS_VERSION - 1}.0")
    both = Runs((older, oracle))
    with pytest.raises(ValueFlowError, match="protocol_differences"):
        compare(both, "steerability", "model")
    assert protocol_differences(both) == [
        f"task version: {RESULTS_VERSION - 1} in {older.source}; "
        f"{RESULTS_VERSION} in {oracle.source}"
    ]
    assert both.frame["setting"].nunique() == 2
    assert both.frame["value_protocol"].nunique() == 2 * runs.frame["value_protocol"].nunique()


def test_answers_of_two_task_versions_are_not_one_answer(
    inspect_folder: Path, tmp_path: Path
) -> None:
    one = load_runs(inspect_folder).runs[0]
    other = replace(
        one,
        id="other",
        judge="other",
        answers=tuple(
            replace(
                answer,
                estimates={
                    value: {**own, "profile": "other"} for value, own in answer.estimates.items()
                },
            )
            for answer in one.answers
        ),
    )
    assert len(agreement(Runs((one, other)))) > 0
    assert len(agreement(Runs((one, replace(other, task_version="1.0"))))) == 0


def test_runs_of_other_values_share_a_setting(inspect_folder: Path) -> None:
    runs = load_runs(inspect_folder)
    first, second = runs.runs
    care, loyalty = (
        tuple(one for one in run.answers if value in one.measure and set(one.targets) <= {value})
        for run, value in ((first, "mft/care"), (second, "mft/loyalty"))
    )
    apart = replace(runs, runs=(replace(first, answers=care), replace(second, answers=loyalty)))
    assert apart.frame.setting.nunique() == 1


def test_adjustment_is_the_step_up_rule_and_passes_over_nothing() -> None:
    p = np.array([0.001, 0.02, 0.5, np.nan])
    assert np.allclose(adjusted(p)[:3], false_discovery_control(p[:3]))
    assert np.isnan(adjusted(p)[3])
    assert np.array_equal(adjusted(p, "none")[:3], p[:3])


def test_regimes_of_models_of_known_truth(inspect_folder: Path) -> None:
    found = regimes(load_runs(inspect_folder)).set_index(["model", "target"])
    for value in ("mft/care", "mft/loyalty"):
        oracle = found.loc[("valueflow-control-oracle", value)]
        assert (oracle.regime, oracle.type, oracle.sure) == ("strong", "bidirectional", True)
        inert = found.loc[("valueflow-control-inert", value)]
        assert (inert.regime, inert.type, inert.reversed) == ("weak", "hard", False)


@pytest.mark.parametrize(
    ("up", "down", "lopsided", "type_"),
    [
        ("rests", "rests", False, "hard"),
        ("moves", "rests", False, "asymmetric"),
        ("rests", "moves", False, "asymmetric"),
        ("moves", "moves", False, "bidirectional"),
        ("moves", "moves", True, "asymmetric"),
        ("moves", "unclear", False, "undetermined"),
        ("unclear", "unclear", False, "undetermined"),
    ],
)
def test_types_follow_from_the_directions(up: str, down: str, lopsided: bool, type_: str) -> None:
    assert value_type(up, down, lopsided) == type_


def test_regimes_are_bands_of_steerability() -> None:
    assert [regime(x) for x in (-0.1, 0.19, 0.2, 0.39, 0.4, 0.9)] == [
        "weak", "weak", "moderate", "moderate", "strong", "strong",
    ]  # fmt: skip


# -- agreement and drift


def test_two_judges_of_the_same_answers(inspect_folder: Path, tmp_path: Path) -> None:
    from inspect_ai import score
    from inspect_ai.log import read_eval_log, write_eval_log

    from valueflow_tasks.inspect_tasks import anchor_intensity

    oracle = next(
        Path(run.source) for run in load_runs(inspect_folder).runs if "oracle" in run.model
    )
    log = score(
        read_eval_log(str(oracle)), anchor_intensity(judge="simulated:noise=2"),
        action="append", model="none/none", display="none",
    )  # fmt: skip
    write_eval_log(log, str(tmp_path / "twice.eval"))
    found = agreement(load_runs(tmp_path))
    whole = found[found.value == ""].iloc[0]
    assert whole.n == 20 * (2 + 2 * 4)
    assert whole.pearson > 0.9
    assert whole.alpha > 0.9
    assert whole.bias_low < 0 < whole.bias_high or abs(whole.bias) < 0.3
    assert whole.same_sign > 0.95
    assert 0.5 < whole.excess < 2
    assert set(found.value) == {"", "mft/care", "mft/loyalty"}


def test_one_judge_agrees_with_nobody(inspect_folder: Path) -> None:
    assert len(agreement(load_runs(inspect_folder))) == 0


def test_drift_between_checkpoints_that_do_not_differ(inspect_folder: Path) -> None:
    steps = {"valueflow-control-oracle": 0, "valueflow-control-inert": 100}
    found = drift(load_runs(inspect_folder), steps)
    assert len(found) == 2
    assert not found.drifts.any()
    assert found.arrived.isna().all()
    assert magnitude(found) == 0
    with pytest.raises(ValueFlowError, match="fewer than two"):
        drift(load_runs(inspect_folder), {"valueflow-control-oracle": 0, "elsewhere": 1})


def test_saturation_of_the_oracle_is_near_its_end(inspect_folder: Path) -> None:
    found = saturation(load_runs(inspect_folder)).query("model == 'valueflow-control-oracle'")
    assert len(found) == 2 * 2
    assert found.drifts.all()
    assert ((found.arrived > 1.5) & (found.arrived <= 2)).all()


def test_arrival_lies_between_the_places_where_the_way_is_made() -> None:
    assert arrival([0, 1, 2], np.array([0.0, 10.0, 10.0])) == pytest.approx(0.95)
    assert arrival([0, 1, 2], np.array([0.0, -5.0, -10.0])) == pytest.approx(1.9)
    # A dip is noise of a monotone way.
    assert arrival([0, 1, 2, 3], np.array([0.0, 9.0, 7.0, 8.0])) == pytest.approx(0.95)
    assert np.isnan(arrival([0, 1], np.array([3.0, 3.0])))
