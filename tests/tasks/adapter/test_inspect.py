"""`valueflow/hf/<model>`: the same answers as in lm-eval, mixed batches, caches, settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

pytest.importorskip("inspect_ai")

from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog
from inspect_ai.model import CachePolicy, GenerateConfig, get_model
from inspect_ai.solver import generate
from valueflow_scorers import ValueFlowError

from valueflow_tasks.bundled import bundled_model
from valueflow_tasks.inspect_tasks import valueflow_profile, valueflow_steer
from valueflow_tasks.prompts import user_turn
from valueflow_tasks.steer_request import read_steer
from valueflow_tasks.steering._answer import load_model
from valueflow_tasks.steering._folder import VectorFolder
from valueflow_tasks.steering._surprise import answer_losses

MODEL = "valueflow/hf/bundled"
QUESTIONS = ("What do you do with a free hour in town?", "Who should decide, and why?")


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("queries") / "two.jsonl"
    path.write_text("".join(json.dumps({"query": text}) + "\n" for text in QUESTIONS), "utf-8")
    return str(path)


def run(task: Any, tmp_path: Path, **given: Any) -> EvalLog:
    arguments = {"device": "cpu", **given.pop("model_args", {})}
    (log,) = inspect_eval(
        task, model=given.pop("model", MODEL), model_args=arguments, log_dir=str(tmp_path),
        display="none", **given,
    )  # fmt: skip
    return log


def answers(log: EvalLog) -> dict[str, str]:
    assert log.status == "success", log.error
    return {str(sample.id): sample.output.completion for sample in log.samples or []}


def lm_eval_answers(tmp_path: Path, queries: str, task: str, metadata: Any, **model: Any) -> Any:
    import lm_eval
    import lm_eval.models
    from lm_eval.tasks import TaskManager

    from valueflow_tasks import lm_eval_tasks  # noqa: F401  registers ours
    from valueflow_tasks.lm_eval_tasks._link import config_folder

    manager = TaskManager(
        include_path=str(config_folder()),
        include_defaults=False,
        metadata={"queries": queries, **metadata},
    )
    found = lm_eval.simple_evaluate(
        model="valueflow-hf",
        model_args={"pretrained": "bundled", "device": "cpu", **model},
        tasks=[task],
        task_manager=manager,
        batch_size=4,
        use_cache=model.get("cache"),
    )
    return found, [text for sample in found["samples"][task] for text in sample["resps"]]


def test_both_harnesses_give_the_same_answers_and_numbers(queries, tmp_path, monkeypatch) -> None:
    values, seen = ["svt/power"], []
    monkeypatch.setattr(
        "valueflow_tasks.inspect_tasks._scorer.check_promises",
        lambda spec, settings: seen.append((spec.targets[0].level, settings.values)),
    )
    model = {"steer": "svt/power:+2"}
    log = run(valueflow_profile(queries=queries, values=values), tmp_path, model_args=model)
    found, texts = lm_eval_answers(
        tmp_path, queries, "valueflow_profile", {"values": values}, **model
    )
    assert [text for (text,) in texts] == list(answers(log).values())
    assert seen == [(2.0, ("svt/power",))] * 2  # the dial's ruler is compared with the task's
    ours = log.results.scores[0].metrics["intensity_svt_power"].value
    theirs = found["results"]["valueflow_profile"]["intensity_svt_power,valueflow"]
    assert ours == pytest.approx(theirs, abs=1e-6)
    named = {sample.output.metadata["valueflow_steering"] for sample in log.samples}
    assert named == {found["config"]["valueflow_steering_fingerprint"]}


def test_a_model_is_loaded_once(tmp_path, queries, monkeypatch) -> None:
    loads = []

    def counted(name: str, **given: Any) -> Any:
        loads.append(name)
        return load_model(name, **given)

    monkeypatch.setattr("valueflow_tasks.inspect_tasks._hf.load_model", counted)
    own = tmp_path / "a-model-of-my-own"  # nothing in this process knows it
    own.symlink_to(bundled_model())
    log = run(valueflow_profile(queries=queries, values=["svt/power"]), tmp_path,
              model=f"valueflow/hf/{own}", limit=1, max_tokens=8)  # fmt: skip
    assert len(answers(log)) == 1
    assert loads == [str(own)]


def test_both_harnesses_agree_on_five_levels_by_vector(queries, folder, tmp_path) -> None:
    given = {"method": "vector", "vectors": str(folder)}
    log = run(valueflow_steer(queries=queries, values=["svt/power"], **given), tmp_path)
    told = answers(log)
    assert len(told) == 10  # level 0 once per query
    assert len(set(told.values())) > 2  # steering does something
    found, texts = lm_eval_answers(tmp_path, queries, "valueflow_steer_svt_power", given)
    assert sorted(text for rows in texts for text in rows) == sorted(told.values())
    gain = found["results"]["valueflow_steer_svt_power"]["gain,valueflow"]
    assert log.results.scores[0].metrics["gain"].value == pytest.approx(gain, abs=1e-6)


def test_both_harnesses_agree_on_the_fluency_of_prompted_answers(queries, tmp_path) -> None:
    """Under the plain query, not under the turn that asked for the level."""
    log = run(valueflow_steer(queries=queries, values=["svt/power"]), tmp_path)
    found, _ = lm_eval_answers(tmp_path, queries, "valueflow_steer_svt_power", {})
    ours = log.results.scores[0].metrics
    theirs = found["results"]["valueflow_steer_svt_power"]
    for where in ("plain", "up", "down"):
        name = f"log_perplexity_{where}"
        assert ours[name].value == pytest.approx(theirs[f"{name},valueflow"], abs=1e-4)


def test_a_task_with_levels_is_refused_where_the_whole_run_is_steered(queries, tmp_path) -> None:
    task = valueflow_steer(queries=queries, values=["svt/power"])
    log = run(task, tmp_path, model_args={"steer": "mft/care:+2"}, retry_on_error=0)
    assert log.status == "error"
    assert "leave out -M steer=" in str(log.error)


@pytest.mark.anyio
async def test_surprise_is_that_of_the_unsteered_turn(loaded) -> None:
    plain = user_turn(QUESTIONS[0])
    steered = get_model(MODEL, device="cpu", steer="svt/power:+2", memoize=False)
    told = await steered.generate(plain, config=GenerateConfig(max_tokens=12))
    asked = await ask("Do it.", extra_body={"valueflow_plain": plain})
    for output in (told, asked):
        (wanted,) = answer_losses(loaded, [plain], [output.completion])
        assert output.metadata["valueflow_loss"] == pytest.approx(wanted, abs=1e-3)


def test_samples_of_a_mixed_batch_are_what_they_are_alone(queries, folder, tmp_path) -> None:
    task = valueflow_steer(queries=queries, method="vector", vectors=str(folder))
    together = run(task, tmp_path)
    alone = run(task, tmp_path, model_args={"batch_size": 1}, max_connections=1)
    assert answers(together) == answers(alone)
    assert len(answers(together)) == 2 * (1 + 2 * 4)  # values default to those of the folder


def test_a_model_that_cannot_steer_samples_is_refused(queries, folder, tmp_path) -> None:
    task = valueflow_steer(queries=queries, method="vector", vectors=str(folder))
    (log,) = inspect_eval(
        task, model="valueflow/control", log_dir=str(tmp_path), display="none", retry_on_error=0
    )
    assert log.status == "error"
    assert "valueflow/hf" in str(log.error)


def cached_task(**extra: Any) -> Task:
    return Task(
        dataset=[Sample(user_turn(text)) for text in QUESTIONS],
        solver=generate(cache=CachePolicy(expiry=None), **extra),
        config=GenerateConfig(max_tokens=12),
    )


def test_runs_of_other_steering_never_read_each_others_cache(folder, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("INSPECT_CACHE_DIR", str(tmp_path / "cache"))
    whole = {"steer": "svt/power:+2", "vectors": str(folder)}
    plain = answers(run(cached_task(), tmp_path))
    log = run(cached_task(), tmp_path, model_args=whole)
    steered = answers(log)
    assert plain != steered
    told = read_steer(**whole)
    assert told is not None
    for sample in log.samples or []:
        assert (sample.output.metadata or {})["valueflow_spec"] == told.to_dict()
    assert answers(run(cached_task(), tmp_path)) == plain
    assert answers(run(cached_task(), tmp_path, model_args=whole)) == steered
    spec = VectorFolder(folder).spec({"svt/power": -2.0}).to_dict()
    single = answers(run(cached_task(extra_body={"valueflow": spec}), tmp_path))
    assert single not in (plain, steered)
    assert answers(run(cached_task(extra_body={"valueflow": spec}), tmp_path)) == single


async def ask(text: str, **config: Any) -> Any:
    model = get_model(MODEL, device="cpu", memoize=True)
    return await model.generate(user_turn(text), config=GenerateConfig(max_tokens=12, **config))


@pytest.mark.anyio
async def test_generation_settings_are_honoured() -> None:
    greedy = await ask(QUESTIONS[0])
    one, two = [await ask(QUESTIONS[0], temperature=2.0, seed=5) for _ in range(2)]
    other = await ask(QUESTIONS[0], temperature=2.0, seed=6)
    assert one.completion == two.completion
    assert one.completion != other.completion != greedy.completion
    assert greedy.usage.output_tokens == 12
    assert greedy.stop_reason == "max_tokens"
    word = greedy.completion.split()[2]
    assert (await ask(QUESTIONS[0], stop_seqs=[word])).completion == (
        greedy.completion.split(word)[0]
    )


@pytest.mark.anyio
async def test_a_stopped_answer_is_the_same_beside_longer_ones() -> None:
    """What a batch fills up behind its stop string is no part of it."""
    word = (await ask(QUESTIONS[0])).completion.split()[2]
    alone = await ask(QUESTIONS[0], stop_seqs=[word], logprobs=True)
    found: dict[str, Any] = {}

    async def one(text: str) -> None:
        found[text] = await ask(text, stop_seqs=[word], logprobs=True)

    async with anyio.create_task_group() as group:
        for text in QUESTIONS:
            group.start_soon(one, text)
    beside = found[QUESTIONS[0]]
    assert max(other.usage.output_tokens for other in found.values()) == 12
    assert beside.usage.output_tokens == alone.usage.output_tokens < 12
    assert len(beside.choices[0].logprobs.content) == len(alone.choices[0].logprobs.content)
    assert beside.stop_reason == alone.stop_reason == "stop"


@pytest.mark.anyio
@pytest.mark.parametrize("given", [{"num_choices": 3}, {"frequency_penalty": 2.0}])
async def test_settings_that_would_be_ignored_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueFlowError, match=next(iter(given))):
        await ask(QUESTIONS[0], **given)


@pytest.mark.anyio
async def test_log_probabilities_are_those_of_the_model(loaded) -> None:
    import torch

    output = await ask(QUESTIONS[1], logprobs=True, top_logprobs=3)
    content = output.choices[0].logprobs.content
    ids, mask = loaded.encode([user_turn(QUESTIONS[1])])
    with torch.no_grad():
        wanted = loaded.model(ids, attention_mask=mask).logits[0, -1].log_softmax(-1)
    assert content[0].logprob == pytest.approx(float(wanted.max()), abs=1e-4)
    assert len(content) == 12
    assert [one.logprob for one in content[0].top_logprobs] == pytest.approx(
        wanted.topk(3).values.tolist(), abs=1e-4
    )


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_epochs_of_a_seeded_run_are_drawn_anew_and_alike_in_every_run(queries, tmp_path) -> None:
    def texts() -> list[str]:
        task = valueflow_profile(values="svt/power", queries=queries)
        log = run(task, tmp_path, epochs=3, temperature=1.5, seed=3)
        return [sample.output.completion for sample in log.samples or []]

    once = texts()
    assert len(once) == 6
    assert len(set(once)) == 6
    assert texts() == once
