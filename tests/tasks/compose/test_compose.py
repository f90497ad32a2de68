"""Several targets at once: their answers and records, and the tasks of both harnesses."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from valueflow_scorers import ValueFlowError
from valueflow_scorers._measure import Answer, Instrument, arm_id

from valueflow_tasks.controls import control_answer, requested
from valueflow_tasks.prompts import steering_text, user_turn

JUDGE = "simulated:noise=1"
SETS = "mft/care:+2~mft/loyalty:+1"


@pytest.fixture
def few_queries(tmp_path: Path) -> str:
    path = tmp_path / "few.csv"
    path.write_text("query\n" + "".join(f"What matters on day {i}?\n" for i in range(8)), "utf-8")
    return str(path)


# -- answers and records


def test_an_answer_to_several_targets_survives_its_record() -> None:
    targets = {"mft/loyalty": 1.0, "mft/care": 2.0}
    instrument = Instrument(JUDGE)
    prompt = user_turn("Why?", steering_text("mft/care", 2))
    answer = Answer("q1", "Why?", control_answer(prompt, "oracle"), ("mft/care",), targets=targets)
    assert answer.id == "q1:mft/care:+2~mft/loyalty:+1"
    (measured,) = instrument.measure([answer])
    assert math.isnan(measured.level)
    (again,) = instrument.restore([measured.to_dict()])
    assert again.targets == targets
    assert again.target is None
    assert again.estimates["mft/care"].response_id == answer.id


def test_the_control_serves_the_strongest_target_then_the_first() -> None:
    texts = [steering_text("mft/loyalty", 1), steering_text("mft/care", 2)]
    assert requested("\n".join(texts)) == ("mft/care", 2)
    texts = [steering_text("mft/loyalty", 2), steering_text("mft/care", 2)]
    assert requested("\n".join(texts)) == ("mft/loyalty", 2)


# -- both harnesses


@pytest.fixture
def both(
    run_lm_eval: Callable[..., Any], run_inspect: Callable[..., Any], few_queries: str
) -> Callable[[str], tuple[dict[str, float], dict[str, float]]]:
    """The metrics of one composition in lm-eval and in Inspect."""

    def run(mode: str) -> tuple[dict[str, float], dict[str, float]]:
        from valueflow_tasks.inspect_tasks import valueflow_compose

        knobs = {"judge": JUDGE, "queries": few_queries, "targets": f"[{SETS}]"}
        results = run_lm_eval("valueflow_compose", mode=mode, **knobs)["results"]
        log = run_inspect(valueflow_compose(**knobs), mode=mode)
        (score,) = log.results.scores
        inspected = {name: one.value for name, one in score.metrics.items()}
        lm_eval = {
            name.removesuffix(",valueflow"): number
            for name, number in results["valueflow_compose"].items()
            if name.endswith(",valueflow") and isinstance(number, float)
        }
        return lm_eval, inspected

    return run


def test_both_harnesses_agree_and_the_oracle_serves_one_master(both: Any) -> None:
    lm_eval, inspected = both("oracle")
    for name in ("additivity", "dominance", "retained_strongest", "all_met", "sign_agreement"):
        assert lm_eval[name] == pytest.approx(inspected[name], abs=1e-9)
        error = inspected["stderr" if name == "additivity" else f"{name}_stderr"]
        assert lm_eval[f"{name}_stderr"] == pytest.approx(error, abs=1e-9)
    assert lm_eval["retained_strongest"] == pytest.approx(1, abs=0.1)
    assert abs(lm_eval["retained_others"]) < 0.3
    assert lm_eval["dominance"] > 0.85


def test_a_model_that_ignores_steering_emits_no_composition(both: Any) -> None:
    lm_eval, inspected = both("inert")
    assert "additivity" not in lm_eval
    assert "dominance" not in inspected
    assert lm_eval["refusal"] == inspected["refusal"] == 0


def test_an_unknown_setting_is_named(run_lm_eval: Callable[..., Any]) -> None:
    with pytest.raises(ValueFlowError, match="unknown sets"):
        run_lm_eval("valueflow_compose", sets="opposite")


def test_arms_are_named_by_their_targets_in_one_order() -> None:
    assert arm_id({"svt/power": 2, "mft/care": -1}) == "mft/care:-1~svt/power:+2"
    assert arm_id({}) == arm_id({"svt/power": 0}) == "0"
