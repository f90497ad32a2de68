"""Settings that cannot be are refused in words, before the model is asked."""

from __future__ import annotations

from typing import Any

import pytest
from valueflow_scorers import ValueFlowError

from valueflow_tasks.controls import MODES
from valueflow_tasks.lm_eval_tasks import ControlLM

POWER = "valueflow_steer_svt_power"
BAD = {
    "judge": "embeded",
    "k": 11,
    "m": 0,
    "design": "buket",
    "compat": "release",
    "target_stderr": -1,
    "profile": "nowhere.json",
    "queries": "nowhere.csv",
    "values": "[svt/powr]",
    "off_target": "some",
    "method": "defintion",
}


def test_an_unknown_setting_is_refused_with_the_nearest(run_lm_eval):
    with pytest.raises(ValueFlowError, match=r"'juge'.*judge"):
        run_lm_eval(POWER, limit=1, juge="simulated")


@pytest.mark.parametrize(("name", "value"), BAD.items())
def test_an_impossible_setting_is_refused_in_one_sentence(run_lm_eval, quick, name, value):
    with pytest.raises(ValueFlowError) as refused:
        run_lm_eval(POWER, limit=1, **{**quick, name: value})
    assert "\n" not in str(refused.value)
    assert str(value).strip("[]") in str(refused.value)


@pytest.mark.parametrize(("name", "value"), BAD.items())
def test_an_impossible_setting_is_refused_before_the_model_is_asked(
    run_lm_eval, quick, monkeypatch, name, value
):
    asked = []

    def generate(self: Any, requests: Any, **_: Any) -> list[str]:
        asked.append(len(requests))
        return ["An answer."] * len(requests)

    monkeypatch.setattr(ControlLM, "generate_until", generate)
    with pytest.raises(ValueFlowError):
        run_lm_eval(POWER, limit=1, **{**quick, name: value})
    assert not asked, "hours of generation would be lost"


def test_a_task_whose_value_is_left_out_is_refused(run_lm_eval, quick):
    with pytest.raises(ValueFlowError, match="svt/power"):
        run_lm_eval(POWER, limit=1, values="svt/face", **quick)


def test_an_unknown_mode_of_the_control_model_is_refused_with_the_nearest(run_lm_eval):
    with pytest.raises(ValueFlowError, match=r"'orcale'.*oracle"):
        run_lm_eval(POWER, mode="orcale", limit=1)
    assert [ControlLM(mode).mode for mode in MODES] == list(MODES)
