"""Both harnesses name one protocol for one model, with a chat template and without."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

pytest.importorskip("inspect_ai")

from valueflow_scorers import ValueFlowError

from valueflow_tasks.analysis import load_runs
from valueflow_tasks.bundled import bundled_model
from valueflow_tasks.inspect_tasks import valueflow_profile

TEMPLATE = (
    "{% for message in messages %}<s>{{ message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}</s>{% endif %}"
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, str]:
    """Paths of a model with a chat template, and of the same without."""
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("models") / "templated"
    shutil.copytree(bundled_model(), folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert not tokenizer.chat_template
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    return {True: str(folder), False: str(bundled_model())}


@pytest.fixture
def by_lm_eval(run_lm_eval: Any, quick: dict[str, str]) -> Any:
    """by_lm_eval(model, path, templated): what the results say of the measurement."""

    def by_lm_eval(model: str, path: str, templated: bool) -> dict[str, Any]:
        arguments = {
            "model_args": {"pretrained": path, "device": "cpu"},
            "apply_chat_template": templated,
            "gen_kwargs": {"max_gen_toks": 8},
        }
        found = run_lm_eval(
            "valueflow_profile", limit=1, model=model, arguments=arguments,
            values="svt/power", **quick,
        )  # fmt: skip
        said: dict[str, Any] = found["configs"]["valueflow_profile"]["metadata"]["valueflow"]
        return said

    return by_lm_eval


@pytest.fixture
def by_inspect(run_inspect: Any, quick: dict[str, str]) -> Any:
    """by_inspect(model, **model arguments): the log."""

    def by_inspect(model: str, **given: Any) -> Any:
        greedy = {"do_sample": False} if model.startswith("hf/") else {}
        arguments = {"device": "cpu", **greedy, **given}
        task = valueflow_profile(values="svt/power", **quick)
        log = run_inspect(task, model=model, model_args=arguments, limit=1, max_tokens=8)
        assert log.status == "success", log.error
        return log

    return by_inspect


@pytest.mark.parametrize("templated", [True, False])
def test_a_model_has_one_protocol_in_both_harnesses(
    models: dict[bool, str], by_lm_eval: Any, by_inspect: Any, templated: bool
) -> None:
    path = models[templated]
    said = [by_lm_eval(model, path, templated) for model in ("hf", "valueflow-hf")]
    logs = [by_inspect(f"{api}/{path}") for api in ("hf", "valueflow/hf")]
    said += [log.eval.metadata["valueflow"] for log in logs]
    assert {one["chat_template"] for one in said} == {templated}
    assert len({one["protocol"] for one in said}) == 1
    for run in load_runs([log.location for log in logs]).runs:
        assert run.chat_template is templated


def test_a_template_that_is_left_out_is_none(models: dict[bool, str], by_inspect: Any) -> None:
    path = models[True]
    logs = [
        by_inspect(f"valueflow/hf/{path}", chat_template=False),
        by_inspect(f"hf/{path}", use_chat_template=False),
    ]
    assert [log.eval.metadata["valueflow"]["chat_template"] for log in logs] == [False, False]


def test_a_template_that_is_not_there_cannot_be_applied(
    models: dict[bool, str], by_lm_eval: Any
) -> None:
    with pytest.raises(ValueFlowError, match="leave out --apply_chat_template"):
        by_lm_eval("valueflow-hf", models[False], True)
