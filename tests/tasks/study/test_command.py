"""What `valueflow study run` refuses, what it says when answers are missing, and its tables."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai")
pytest.importorskip("pandas")

import pandas as pd
from inspect_ai.model import GenerateConfig, ModelAPI, ModelOutput, modelapi
from rich.console import Console
from valueflow_scorers import ValueFlowError

from valueflow_tasks.cli import _study_tables as tables
from valueflow_tasks.study import Estimate, check_judges, generate, load_study, unanswered

TASK = "values: [mft/care]\nqueries: few.csv\njudges: "


class BrokenAPI(ModelAPI):
    """Never answers."""

    calls = 0

    def __init__(self, model_name: str, *_: Any, **__: Any) -> None:
        super().__init__(model_name, None, None, [], GenerateConfig())

    async def generate(self, *_: Any, **__: Any) -> ModelOutput:
        BrokenAPI.calls += 1
        raise RuntimeError("the service is down")


@modelapi("broken")
def broken() -> type[ModelAPI]:
    return BrokenAPI


@pytest.fixture
def study_of(tmp_path: Path, queries: Path, quick: dict[str, str]) -> Callable[..., Any]:
    """The study of these models and judges, `study.yaml`."""

    def write(models: str, *judges: str) -> Any:
        text = f"models: [{models}]\n{TASK}[{', '.join(judges) or quick}]\n"
        (tmp_path / "study.yaml").write_text(text, "utf-8")
        BrokenAPI.calls = 0
        return load_study(tmp_path / "study.yaml")

    return write


# -- answers that are missing


def test_a_model_that_fails_is_named_and_the_rest_can_be_judged(
    study_of: Callable[..., Any], run_study: Callable[..., Any], tmp_path: Path
) -> None:
    study = study_of("valueflow/control, {name: broken/one, methods: [exemplars]}")
    told = r"broken/one \(unsteered, exemplars\): RuntimeError\('the service is down'\)"
    with pytest.raises(ValueFlowError, match=told):
        generate(study, tmp_path / "out")
    assert unanswered(study, tmp_path / "out") == ["broken/one (unsteered, exemplars)"]
    ended = run_study("study.yaml", "--only", "judgements")
    assert ended.code != 0
    assert "no answers yet from broken/one (unsteered, exemplars): " in ended.err
    assert "mft/care" in ended.out, "the other model is judged"


def test_a_study_without_any_answer_says_so(
    study_of: Callable[..., Any], run_study: Callable[..., Any]
) -> None:
    study_of("valueflow/control")
    ended = run_study("study.yaml", "--only", "judgements")
    assert ended.code != 0
    assert "no answers yet from valueflow/control (unsteered, definition): " in ended.err
    assert "steerability" not in ended.out


# -- models that cannot be opened


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("openai/gpt-4o", "model openai/gpt-4o cannot be opened: .*pip install openai$"),
        ("nosuch/model", "nosuch/model cannot be opened: .*not recognized.* named as in Inspect"),
        ("gpt-4o", "gpt-4o cannot be opened: .* named as in Inspect: openai/gpt-4o-mini"),
        ("valueflow/hf/bundled", r"it needs the package transformers: .*valueflow-tasks\[hf\]"),
        ("{name: valueflow/control, args: {mode: odd}}", "mode=odd cannot be opened: .* oracle"),
    ],
)
def test_a_model_that_cannot_be_opened_is_refused_before_any_call(
    study_of: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    says: str,
) -> None:
    for package in ("openai", "transformers"):
        monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    with pytest.raises(ValueFlowError, match=says):
        generate(study_of(f"broken/one, {model}"), tmp_path / "out")
    assert BrokenAPI.calls == 0
    assert not (tmp_path / "out").exists()


def test_a_judge_that_cannot_be_opened_is_refused_before_any_call(
    study_of: Callable[..., Any], run_study: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    study_of("broken/one", "'ranking:openai/gpt-4o'")
    ended = run_study("study.yaml")
    assert ended.code != 0
    assert "judge 'ranking:openai/gpt-4o' cannot be opened" in ended.err
    assert BrokenAPI.calls == 0
    # Answers can be generated where the judge is not.
    assert "broken/one (unsteered, definition)" in run_study("study.yaml", "--only", "answers").err
    assert BrokenAPI.calls > 0


def test_a_judge_on_this_machine_is_not_loaded_beside_the_models(
    study_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = study_of("broken/one", "'ranking:valueflow/hf/nowhere'")
    check_judges(study)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ValueFlowError, match="needs the package transformers"):
        check_judges(study)


# -- tables


def _printed(table: Any, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    return lines


def _found(models: list[str], values: list[str], settings: list[str]) -> Any:
    return pd.DataFrame(
        {
            "model": model, "setting": setting, "judge": "ranking:openai/gpt-4o-2024-08-06",
            "method": "definition", "target": value, "metric": metric,
            "estimate": 0.75, "low": 0.6912, "high": 0.81,
        }
        for model in models
        for setting in settings
        for value in values
        for metric in ("gain", "steerability", "tracking")
    )  # fmt: skip


@pytest.fixture
def printed_results(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """The table of results at some width, of made-up conditions."""

    def show(found: Any, width: int) -> list[str]:
        import valueflow_tasks.analysis as analysis

        monkeypatch.setattr(analysis, "load_runs", lambda paths: None)
        monkeypatch.setattr(analysis, "steering", lambda runs: found)
        return _printed(tables.results([]), width)

    return show


LONG = ["meta-llama/Meta-Llama-3.1-70B-Instruct", "meta-llama/Meta-Llama-3.1-70B-Instruct@step1000"]
VALUES = ["rights/social-group-solidarity", "rights/social-group-solidarity-two"]


@pytest.mark.parametrize("width", [80, 100])
def test_rows_of_results_can_be_told_apart(
    printed_results: Callable[..., list[str]], width: int
) -> None:
    lines = printed_results(_found(LONG, VALUES, ["one"]), width)
    numbers = "+0.75 (+0.69 … +0.81)   +0.75 (+0.69 … +0.81)"
    assert sum(line.rstrip().endswith(numbers) for line in lines) == 4
    names = "".join("".join(lines).replace(numbers, "").split())
    for name in (*LONG, *VALUES):
        assert name in names
    text = " ".join(" ".join(lines).split())
    assert "all rows: judge ranking:openai/gpt-4o-2024-08-06, method definition" in text


def test_what_alone_varies_is_the_name_of_a_row(
    printed_results: Callable[..., list[str]],
) -> None:
    lines = printed_results(_found(["a/b", "c/d"], ["mft/care"], ["one"]), 80)
    assert [line.split()[0] for line in lines if "+0.75" in line] == ["a/b", "c/d"]
    assert "value mft/care" in " ".join(" ".join(lines).split())


def test_one_judge_with_two_settings_is_two(printed_results: Callable[..., list[str]]) -> None:
    found = _found(["a/b"], ["mft/care"], ["0123456789", "abcdefghij"])
    told = " ".join(" ".join(printed_results(found, 100)).split())
    assert "01234567" in told
    assert "abcdefgh" in told


@pytest.mark.parametrize("width", [80, 100])
def test_rows_of_the_dry_run_can_be_told_apart(width: int) -> None:
    kinds = ("unsteered", "definition", "exemplars")
    lines = [
        Estimate("generate", f"valueflow/hf/{model}", what, 8960, 0, 31_234_567, 716_800, 112.5)
        for model in LONG
        for what in kinds
    ]
    printed = _printed(tables.costs(lines), width)
    rows = [line.split() for line in printed if "716,800" in line]
    assert rows == [
        [what, "8,960", "0", "31,234,567", "716,800", "$112.50"] for _ in LONG for what in kinds
    ]
    for model in LONG:
        assert f"generate:valueflow/hf/{model}" in "".join("".join(printed).split())


def test_the_dry_run_says_which_knobs_a_judge_has(study_of: Callable[..., Any]) -> None:
    from valueflow_tasks.study import estimate

    judges = [f"{{judge: 'ranking:broken/j', m: {m}}}" for m in (3, 5)]
    study = study_of("broken/one", *judges)
    lines = estimate(study, Path("nowhere"))
    assert [one.what for one in lines if one.phase == "judge"] == ["ranking m=3", "ranking m=5"]
