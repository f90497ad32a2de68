"""`--model valueflow-hf`: identity, mixed batches, caches, log-likelihood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")

import lm_eval.models  # noqa: F401  first: otherwise the built-in models vanish
import torch
from lm_eval.api.instance import Instance
from lm_eval.api.model import CachingLM
from valueflow_scorers import ValueFlowError

from valueflow_tasks.bundled import bundled_model
from valueflow_tasks.lm_eval_tasks import ControlLM, SteerTask
from valueflow_tasks.lm_eval_tasks._carriers import SPEC, SteeredAnswer
from valueflow_tasks.lm_eval_tasks._steered import SteeredHF
from valueflow_tasks.lm_eval_tasks._support import check_answers
from valueflow_tasks.prompts import steering_text, user_turn
from valueflow_tasks.steering._answer import Loaded
from valueflow_tasks.steering._capture import tokens_of
from valueflow_tasks.steering._folder import VectorFolder
from valueflow_tasks.steering._spec import Promise
from valueflow_tasks.steering._surprise import answer_losses

KWARGS = {"until": [], "do_sample": False, "temperature": 0.0, "max_gen_toks": 12}
QUESTIONS = (  # of different lengths, so that batches are padded
    "What do you do with a free hour?",
    "A stranger asks the way. Tell me, at some length, what happens after that, and why.",
    "Who should decide?",
)
TEXTS = tuple(user_turn(question) for question in QUESTIONS)


@pytest.fixture(scope="module")
def make() -> Callable[..., SteeredHF]:
    def build(**given: Any) -> SteeredHF:
        return SteeredHF(**{"pretrained": "bundled", "device": "cpu", "batch_size": 8, **given})

    return build


@pytest.fixture(scope="module")
def plain(make: Callable[..., SteeredHF]) -> SteeredHF:
    return make()


def ask(text: str, spec: Any = None) -> Instance:
    arguments = {**KWARGS, **({SPEC: spec.to_dict()} if spec else {})}
    return Instance("generate_until", {}, (text, arguments), 0)


def score(context: str, continuation: str) -> Instance:
    return Instance("loglikelihood", {}, (context, continuation), 0)


@pytest.fixture(scope="module")
def specs(folder: Path) -> list[Any]:
    vectors = VectorFolder(folder)
    levels = [{"svt/power": 2.0}, {"svt/power": -2.0}, {"mft/liberty": 1.0}]
    return [None, *map(vectors.spec, levels)]


def test_rows_of_a_mixed_batch_are_what_they_are_alone(plain, specs) -> None:
    requests = [ask(text, spec) for text in TEXTS for spec in specs]
    together = plain.generate_until(requests)
    alone = [plain.generate_until([request])[0] for request in requests]
    assert together == alone
    assert len(set(together)) > len(TEXTS)  # steering does something


def test_equal_requests_are_generated_once_across_tasks(plain, specs, monkeypatch) -> None:
    rows: list[int] = []
    inner = SteeredHF._model_generate

    def counting(self: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        rows.append(len(context))
        return inner(self, context, *args, **kwargs)

    monkeypatch.setattr(SteeredHF, "_model_generate", counting)
    plain.generate_until([ask(TEXTS[0]), ask(TEXTS[0], specs[1]), ask(TEXTS[0])])
    assert rows == [2]


def test_sampled_requests_are_not_merged(plain, monkeypatch) -> None:
    arguments = {**KWARGS, "do_sample": True, "temperature": 1.0}
    one = Instance("generate_until", {}, (TEXTS[0], arguments), 0)
    answers = plain.generate_until([one] * 4)
    assert len(answers) == 4
    assert len(set(answers)) > 1


def test_steered_and_unsteered_answers_stay_apart_in_a_cache(plain, specs, tmp_path) -> None:
    cached = CachingLM(plain, str(tmp_path / "cache.db"))
    requests = [ask(text, spec) for text in TEXTS for spec in specs]
    first = cached.generate_until(requests)
    assert first == plain.generate_until(requests)
    # Only unsteered requests, then only steered ones: each finds its own.
    again = CachingLM(_Dumb(plain), str(tmp_path / "cache.db"))
    assert again.generate_until([ask(text) for text in TEXTS]) == first[:: len(specs)]
    kept = again.generate_until(requests)
    assert kept == first
    wanted = [(spec.fingerprint, kept[i]) for i, spec in enumerate(specs) if spec]
    check_answers(wanted)


class _Dumb:
    """A model that must not be asked: everything has to come from the cache."""

    def __init__(self, model: SteeredHF) -> None:
        self._model = model

    def set_cache_hook(self, hook: Any) -> None:
        self._model.set_cache_hook(hook)

    def generate_until(self, requests: Any) -> Any:
        raise AssertionError(f"{len(requests)} requests were not in the cache")


def test_cache_of_a_steered_run_must_name_its_steering(make, folder, plain, tmp_path) -> None:
    steered = make(steer="svt/power:+2", vectors=str(folder))
    with pytest.raises(ValueFlowError, match=steered.spec.fingerprint[:8]):
        CachingLM(steered, str(tmp_path / "cache.db"))
    named = str(tmp_path / f"cache-{steered.spec.fingerprint[:8]}.db")
    cached = CachingLM(steered, named)
    answer = cached.generate_until([ask(TEXTS[0])])
    assert CachingLM(steered, named).generate_until([ask(TEXTS[0])]) == answer
    with pytest.raises(ValueFlowError, match="another file"):
        CachingLM(plain, named)
    CachingLM(plain, str(tmp_path / "plain.db"))


def prompt_task() -> SteerTask:
    return steer_task(method="definition")


def test_surprise_of_prompted_answers_is_under_the_plain_query(plain, loaded) -> None:
    task = prompt_task()
    task.build_all_requests(limit=2)
    answers = plain.generate_until(task.instances)
    for instance, text in zip(task.instances, answers, strict=True):
        level = instance.doc["level"]
        assert isinstance(text, SteeredAnswer) == (level != 0)
        if level:
            own, unsteered = text.losses
            turn = user_turn(instance.doc["query"])
            (wanted,) = answer_losses(loaded, [turn], [str(text)])
            assert own == pytest.approx(wanted, abs=1e-3)
            assert unsteered is not None
            assert text.fingerprint == ""


def test_only_answers_with_a_steered_sibling_are_read_again(plain, specs, monkeypatch) -> None:
    read = []
    inner = SteeredHF._surprises

    def spy(self: Any, contexts: Any, texts: Any) -> Any:
        read.extend(contexts)
        return inner(self, contexts, texts)

    monkeypatch.setattr(SteeredHF, "_surprises", spy)
    plain.generate_until([ask(TEXTS[0]), ask(TEXTS[1])])
    assert not read
    plain.generate_until([ask(TEXTS[0]), ask(TEXTS[1]), ask(TEXTS[0], specs[1])])
    assert set(read) == {TEXTS[0]}


def test_a_failing_pass_for_losses_costs_no_answers(plain, specs, monkeypatch) -> None:
    requests = [ask(TEXTS[0]), ask(TEXTS[0], specs[1])]
    wanted = plain.generate_until(requests)
    assert None not in wanted[1].losses

    def fail(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("no memory left")

    monkeypatch.setattr("valueflow_tasks.steering._surprise.padded", fail)
    found = plain.generate_until(requests)
    assert found == wanted
    assert found[1].losses == (None, None)


def test_a_task_with_levels_of_its_own_is_refused_where_the_whole_run_is_steered(
    make, folder
) -> None:
    for given in ({}, {"vectors": str(folder)}):
        steered = make(steer="svt/power:+2", **given)
        task = prompt_task()
        task.build_all_requests(limit=1)
        with pytest.raises(ValueFlowError, match="leave out steer="):
            steered.generate_until(task.instances)
        alone = [one for one in task.instances if not one.doc["level"]]
        assert len(steered.generate_until(alone)) == 1


def test_a_dials_ruler_is_compared_with_that_of_each_task(make, monkeypatch) -> None:
    seen = []
    monkeypatch.setattr(
        "valueflow_tasks.lm_eval_tasks._steered.check_promises",
        lambda spec, settings: seen.append((spec.targets[0].value, settings.queries)),
    )
    task = prompt_task()
    task.build_all_requests(limit=2)
    plain_ones = [one for one in task.instances if not one.doc["level"]]
    make(steer="mft/care:+2").generate_until(plain_ones)
    assert seen == [("mft/care", "core")]


def test_a_cache_of_unknown_origin_is_not_taken_for_a_steered_one(make, folder, tmp_path) -> None:
    from sqlitedict import SqliteDict

    steered = make(steer="svt/power:+2", vectors=str(folder))
    path = str(tmp_path / f"{steered.spec.fingerprint[:8]}.db")
    with SqliteDict(path, autocommit=True) as entries:
        entries["somebody's"] = "answer"
    with pytest.raises(ValueFlowError, match="named no steering"):
        CachingLM(steered, path)


def test_whole_run_prompt_is_the_steered_user_turn(make, plain) -> None:
    steered = make(steer="svt/power:+2")
    text = steering_text("svt/power", 2)
    wanted = plain.generate_until([ask(user_turn(QUESTIONS[0], text))])
    assert steered.generate_until([ask(user_turn(QUESTIONS[0]))]) == wanted
    [(a, _)] = steered.loglikelihood([score(user_turn(QUESTIONS[0]), " I")])
    [(b, _)] = plain.loglikelihood([score(user_turn(QUESTIONS[0], text), " I")])
    assert a == pytest.approx(b, abs=1e-5)


def test_prompt_stands_first_in_the_user_turn_of_a_chat(make) -> None:
    steered = make(steer="svt/power:+2")
    steered.tokenizer.chat_template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    )
    chat = [{"role": "system", "content": "Hello."}, {"role": "user", "content": "Who?"}]
    rendered = steered.apply_chat_template(chat)
    assert rendered == f"<system>Hello.<user>{steering_text('svt/power', 2)}\n\nWho?"
    assert steered._prompted(rendered) == rendered


def test_whole_run_vector_steers_every_kind_of_request(make, plain, folder) -> None:
    steered = make(steer="svt/power:+2", vectors=str(folder))
    spec = VectorFolder(folder).spec({"svt/power": 2.0})
    wanted = plain.generate_until([ask(text, spec) for text in TEXTS])
    assert steered.generate_until([ask(text) for text in TEXTS]) == wanted
    requests = [score(text, " I would") for text in TEXTS]
    assert steered.loglikelihood(requests) != plain.loglikelihood(requests)
    rolling = [Instance("loglikelihood_rolling", {}, (text,), 0) for text in TEXTS]
    assert steered.loglikelihood_rolling(rolling) != plain.loglikelihood_rolling(rolling)


def test_scope_response_moves_single_letter_tasks(make, plain, response_folder) -> None:
    steered = make(steer="svt/power:+2", vectors=str(response_folder))
    requests = [score(f"{text} Answer:", f" {letter}") for text in TEXTS for letter in "ABCD"]
    unsteered, moved = plain.loglikelihood(requests), steered.loglikelihood(requests)
    assert all(a[0] != pytest.approx(b[0], abs=1e-3) for a, b in zip(unsteered, moved, strict=True))
    # A row in a padded batch is what it is alone.
    alone = [steered.loglikelihood([request])[0][0] for request in requests]
    assert [one[0] for one in moved] == pytest.approx(alone, abs=1e-4)


def test_a_batch_size_can_be_searched_for_under_a_scope(make, response_folder) -> None:
    given = {"steer": "svt/power:+2", "vectors": str(response_folder)}
    searching = make(batch_size="auto", max_batch_size=2, max_length=64, **given)
    requests = [score(text, " I would") for text in TEXTS]
    wanted = [one[0] for one in make(**given).loglikelihood(requests)]
    assert [one[0] for one in searching.loglikelihood(requests)] == pytest.approx(wanted, abs=1e-4)


def test_scope_response_spares_the_prompt(make, plain, response_folder) -> None:
    """Only positions that choose response tokens move: the prompt's own loss does not."""
    steered = make(steer="svt/power:+2", vectors=str(response_folder))
    ids = torch.tensor([steered.tok_encode(TEXTS[1])])
    steered._lengths._known = {tuple(ids[0].tolist()): ids.shape[1]}
    difference = (steered._model_call(ids) - plain._model_call(ids)).abs().amax(-1)[0]
    assert float(difference[:-1].max()) < 1e-6 < float(difference[-1])


def test_identical_tokens_with_other_prompts_are_told_apart(make, response_folder) -> None:
    steered = make(steer="svt/power:+2", vectors=str(response_folder))
    whole = "You look around for a while and wait"
    split = [(whole[:8], whole[8:]), (whole[:16], whole[16:])]
    together = steered.loglikelihood([score(*one) for one in split])
    alone = [steered.loglikelihood([score(*one)])[0] for one in split]
    assert [one[0] for one in together] == pytest.approx([one[0] for one in alone], abs=1e-4)


def test_identity_is_in_the_model_info(make, plain, folder) -> None:
    steered = make(steer="svt/power:+2", vectors=str(folder))
    info = steered.get_model_info()
    assert info["valueflow_steering_fingerprint"] == steered.spec.fingerprint
    assert info["valueflow_steering"]["targets"] == [{"value": "svt/power", "level": 2.0}]
    assert plain.get_model_info()["valueflow_steering_fingerprint"] is None
    assert steered.tokenizer_name != plain.tokenizer_name


def test_level_zero_is_unsteered(make) -> None:
    assert make(steer="svt/power:0").spec is None


def test_whole_run_and_request_specs_exclude_each_other(make, folder, specs) -> None:
    steered = make(steer="svt/power:+2", vectors=str(folder))
    with pytest.raises(ValueFlowError, match="leave out steer="):
        steered.generate_until([ask(TEXTS[0], specs[1])])


def test_rolling_under_a_prompt_is_refused(make) -> None:
    with pytest.raises(ValueFlowError, match="vectors=DIR"):
        make(steer="svt/power:+2").loglikelihood_rolling([])


def vector_task(folder: Path) -> SteerTask:
    return steer_task(method="vector", vectors=str(folder))


def steer_task(**metadata: str) -> SteerTask:
    return SteerTask(
        {
            "task": "valueflow_steer_svt_power",
            "test_split": "test",
            "output_type": "generate_until",
            "dataset_kwargs": {"value": "svt/power"},
            "generation_kwargs": dict(KWARGS),
            "filter_list": [
                {"name": "valueflow", "filter": [{"function": "anchor_intensity"}]}
            ],
            "metadata": {"version": 1.0, "queries": "core", **metadata},
        }
    )  # fmt: skip


def test_answers_of_a_model_without_support_are_refused(plain, folder) -> None:
    task = vector_task(folder)
    task.build_all_requests(limit=1)
    for instance, text in zip(
        task.instances, ControlLM().generate_until(task.instances), strict=True
    ):
        instance.resps = [text]
    with pytest.raises(ValueFlowError, match="valueflow-hf"):
        task.apply_filters()


def test_five_levels_of_a_task_by_vector(plain, folder) -> None:
    task = vector_task(folder)
    task.build_all_requests(limit=2)
    assert len(task.instances) == 10
    answers = plain.generate_until(task.instances)
    for instance, text in zip(task.instances, answers, strict=True):
        instance.resps = [text]
    assert sum(isinstance(text, SteeredAnswer) for text in answers) == 8
    # One prompt for all levels: what differs is the vector.
    assert len({instance.args[0] for instance in task.instances}) == 2
    task.apply_filters()
    told = task.config.metadata["valueflow"]["steering"]
    assert set(told) == {f"svt/power:{level:+d}" for level in (-2, -1, 1, 2)}


def test_exported_adapter_gives_the_harness_the_same_logits(make, folder, tmp_path) -> None:
    pytest.importorskip("peft")
    from lm_eval.models.huggingface import HFLM

    from valueflow_tasks.steering import export_peft

    steered = make(steer="svt/power:+2", vectors=str(folder))
    vector = VectorFolder(folder).vector("svt/power").vector
    export_peft(tmp_path / "adapter", steered.model, [vector], [0.8])
    theirs = HFLM(pretrained=str(bundled_model()), peft=str(tmp_path / "adapter"), device="cpu")
    requests = [score(text, " I would wait") for text in TEXTS]
    ours = [one[0] for one in steered.loglikelihood(requests)]
    assert [one[0] for one in theirs.loglikelihood(requests)] == pytest.approx(ours, abs=1e-4)
    ids = torch.tensor([steered.tok_encode(TEXTS[1])])
    assert torch.allclose(steered._model_call(ids), theirs._model_call(ids), atol=1e-4)


def test_a_context_that_would_lose_its_steering_prompt_is_refused(make) -> None:
    """The harness cuts from the left, where the prompt stands."""
    steered, long = make(steer="svt/power:+2", max_length=96), "word " * 200
    with pytest.raises(ValueFlowError, match="cut off the steering prompt"):
        steered.generate_until([ask(long)])
    with pytest.raises(ValueFlowError, match="cut off the steering prompt"):
        steered.loglikelihood([score(long, " yes")])
    assert steered.generate_until([ask(QUESTIONS[0])])


@pytest.mark.parametrize("given", [{"sterr": "svt/power:+2"}, {"pretrained": None}])
def test_bad_model_arguments_are_said_in_a_sentence(make, given) -> None:
    with pytest.raises(ValueFlowError, match="model_args"):
        make(**given)


def test_surprise_is_read_from_the_tokens_that_were_generated_from(make) -> None:
    """A model with a chat template that is not applied still gets its special tokens."""
    model = make()
    model.tokenizer.chat_template = "{{ messages[0]['content'] }}"
    try:
        asked, answer = "What now?", " I wait."
        (found,) = model._surprises([asked], [answer])
        special = Loaded(model.model, model.tokenizer, model.library, True, True)
        ids, begin = tokens_of(special, asked, answer)
        assert ids[:begin] == model.tok_encode(asked)
        assert found == pytest.approx(answer_losses(special, [asked], [answer])[0], abs=1e-5)
    finally:
        model.tokenizer.chat_template = None


def test_a_dial_that_asked_through_the_chat_template_says_so_to_a_run_without(
    make, caplog: pytest.LogCaptureFixture
) -> None:
    model = make(steer="svt/power:+2")
    promise = Promise("svt/power", 5.0, 5.0, 4.0, 6.0, 70, "embedded", "0" * 64)
    model.asked = replace(model.asked, promises=(promise,))
    model.generate_until([ask(QUESTIONS[0])])
    assert "--apply_chat_template" not in caplog.text, "there is none"
    model.tokenizer.chat_template = "{{ messages[0]['content'] }}"
    model.generate_until([ask(QUESTIONS[0])])
    assert "--apply_chat_template" in caplog.text
    caplog.clear()
    text = model.apply_chat_template([{"role": "user", "content": QUESTIONS[0]}])
    model.generate_until([ask(text)])
    assert "--apply_chat_template" not in caplog.text
