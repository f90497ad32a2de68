"""Settings that cannot be are refused in words, before the model is asked."""

from __future__ import annotations

import pytest
import rich
from inspect_ai._util.error import exception_hook
from inspect_ai.model import get_model
from valueflow_scorers import ValueFlowError

from valueflow_tasks.inspect_tasks import (
    anchor_intensity,
    valueflow_compose,
    valueflow_opinions,
    valueflow_profile,
    valueflow_steer,
)

POWER = "svt/power"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"values": "svt/powr"}, "svt/power"),
        ({"judge": "embeded"}, "embedded"),
        ({"queries": "nowhere.csv"}, "nowhere.csv"),
        ({"method": "defintion"}, "definition"),
        ({"off_target": "al"}, "all"),
        ({"profile": "nowhere.json"}, "nowhere.json"),
        ({"theory": "svt", "values": "mft"}, "not both"),
        ({"method": "vector"}, "vectors=DIR"),
        ({"vectors": "folder"}, "method=vector"),
        ({"k": 11}, "k=11"),
        ({"m": 0}, "m=0"),
        ({"design": "buket"}, "bucket"),
        ({"compat": "release"}, "valueflow"),
        ({"target_stderr": -1}, "target_stderr=-1"),
    ],
)
def test_an_impossible_setting_is_refused_before_the_model_is_asked(quick, given, words):
    with pytest.raises(ValueFlowError) as refused:
        valueflow_steer(**{**quick, "values": POWER, **given})
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("task", "name", "nearest"),
    [
        ("valueflow_profile", "juge", "judge"),
        ("valueflow_profile", "off_targt", "queries"),
        ("valueflow_steer", "theroy", "theory"),
        ("valueflow_compose", "target", "targets"),
        ("valueflow_opinions", "question", "questions"),
    ],
)
def test_a_misspelt_setting_is_refused_and_not_ignored(run_inspect, task, name, nearest):
    with pytest.raises(ValueFlowError, match=f"unknown setting '{name}'") as refused:
        run_inspect(f"valueflow_tasks/{task}", task_args={name: "svt"}, limit=1)
    assert nearest in str(refused.value) or task == "valueflow_profile"


@pytest.mark.parametrize(
    "make",
    [
        lambda: valueflow_profile(k="banana"),
        lambda: valueflow_compose(sets="[pears]"),
        lambda: valueflow_opinions(answer="[aloud]"),
        lambda: anchor_intensity(k="[six]"),
        lambda: get_model("valueflow/control", mode="[x]", memoize=False),
    ],
)
def test_inspect_prints_a_mistake_without_a_traceback(make, capsys, monkeypatch):
    monkeypatch.setattr(rich.get_console(), "quiet", False)  # as runs without a display leave it
    hook = exception_hook()
    with pytest.raises(ValueFlowError) as refused:
        make()
    hook(type(refused.value), refused.value, None)
    ended = capsys.readouterr()
    assert ended.out.split() == str(refused.value).split(), "brackets included"
    assert not ended.err


def test_a_setting_that_is_null_is_refused_in_words(quick):
    with pytest.raises(ValueFlowError, match="design=none"):
        valueflow_steer(values=POWER, **quick, design=None)


def test_without_torch_the_extra_is_named(monkeypatch):
    from valueflow_tasks.inspect_tasks import _hf

    def missing(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(_hf, "load_model", missing)
    with pytest.raises(ValueFlowError, match=r"torch.*'valueflow-tasks\[hf\]'"):
        get_model("valueflow/hf/bundled", memoize=False)
