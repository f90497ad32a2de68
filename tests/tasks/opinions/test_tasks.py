"""`valueflow_opinions` in both harnesses, with models of known truth."""

from __future__ import annotations

import json

import pytest
from valueflow_scorers import ValueFlowError

from valueflow_tasks.opinions import load_survey
from valueflow_tasks.profiles import ValueProfile, ValueScore, Written, save_profiles
from valueflow_tasks.profiles._readings import built_from

TASK = "valueflow_opinions"


def numbers(found) -> dict[str, float]:
    results = found["results"][TASK]
    return {key.partition(",")[0]: number for key, number in results.items() if "," in key}


@pytest.mark.parametrize("answer", ["loglikelihood", "letter"])
def test_the_oracle_gains_from_the_right_profile_and_loses_by_the_wrong_one(run_lm_eval, answer):
    found = run_lm_eval(TASK, answer=answer)
    metrics = numbers(found)
    told = found["configs"][TASK]["metadata"]["valueflow_opinions"]
    for control in ("wrong", "default", "attribute"):
        low, high = told["intervals"][f"accuracy_profile_minus_{control}"]
        assert 0.1 < low < metrics[f"accuracy_profile_minus_{control}"] < high
        assert told["intervals"][f"distance_profile_minus_{control}"][1] < 0
    assert metrics["accuracy_profile"] > 0.8
    assert metrics["accuracy_profile_minus_wrong_stderr"] > 0
    assert metrics["unanswered"] == metrics["unanswered_profile"] == 0
    assert told["split"] == load_survey().split_fingerprint
    assert told["version"]


def test_the_inert_shows_no_difference(run_lm_eval):
    metrics = numbers(run_lm_eval(TASK, mode="inert"))
    differences = {
        name: number
        for name, number in metrics.items()
        if "_minus_" in name and not name.endswith("_stderr_stderr")
    }
    assert len(differences) == 12  # two kinds, three arms, and their errors
    assert set(differences.values()) == {0.0}


def test_the_contrary_is_farther_off_with_the_right_profile(run_lm_eval):
    metrics = numbers(run_lm_eval(TASK, mode="contrary", arms=["default", "profile"]))
    assert metrics["distance_profile_minus_default"] > 0.2
    assert not any("wrong" in name or "attribute" in name for name in metrics)


def test_a_refuser_answers_nothing_and_no_number_is_made_up(run_lm_eval):
    metrics = numbers(run_lm_eval(TASK, mode="refuser", answer="letter", limit=3))
    assert metrics["unanswered"] == metrics["unanswered_wrong"] == 1
    assert metrics["accuracy_profile"] == "N/A"


def test_a_limit_is_a_number_of_questions(run_lm_eval):
    found = run_lm_eval(TASK, limit=4)
    samples = found["samples"][TASK]
    assert len(samples) == 4
    asks = 1 + 2 * 6
    options = len(load_survey().part("test")[0].options)
    assert len(samples[0]["arguments"]) == asks * options


@pytest.mark.parametrize("answer", ["loglikelihood", "letter"])
def test_a_language_model_runs_offline(run_lm_eval, answer):
    pytest.importorskip("transformers")
    from lm_eval.models.huggingface import HFLM

    from valueflow_tasks.bundled import model_path

    model = HFLM(pretrained=model_path("bundled"), batch_size=8, device="cpu")
    found = run_lm_eval(TASK, model=model, limit=2, groups=["climbers", "founders"], answer=answer)
    metrics = numbers(found)
    assert 0 <= metrics["unanswered"] <= 1
    if answer == "loglikelihood":
        assert 0 <= metrics["distance_profile"] <= 1


def leaky(folder) -> str:
    asked = load_survey().part("test")[5]
    seen = built_from([Written("We keep it.", query=asked.text)], "j", "f", None)
    scores = {"svt/tradition": ValueScore(6.0)}
    profiles = [ValueProfile(name, scores, seen) for name in load_survey().groups]
    return str(save_profiles(folder / "leaky.json", profiles))


def test_a_leaked_question_raises_in_lm_eval(run_lm_eval, tmp_path):
    with pytest.raises(ValueFlowError, match="was built from 1 of the 40 questions"):
        run_lm_eval(TASK, profile=leaky(tmp_path))


def test_a_leaked_question_raises_in_inspect(tmp_path):
    pytest.importorskip("inspect_ai")
    from valueflow_tasks.inspect_tasks import valueflow_opinions

    with pytest.raises(ValueFlowError, match="was built from 1 of the 40 questions"):
        valueflow_opinions(profile=leaky(tmp_path))


def inspect_numbers(log) -> dict[str, float]:
    assert log.status == "success", log.error
    return {name: one.value for name, one in log.results.scores[0].metrics.items()}


def test_both_harnesses_give_the_same_numbers(run_lm_eval, run_inspect):
    from valueflow_tasks.inspect_tasks import valueflow_opinions

    log = run_inspect(valueflow_opinions())
    ours, theirs = inspect_numbers(log), numbers(run_lm_eval(TASK, answer="letter"))
    assert ours.pop("stderr") == pytest.approx(theirs["accuracy_profile_minus_wrong_stderr"])
    for name, number in ours.items():
        assert number == pytest.approx(theirs[name]), name
    assert next(iter(log.results.scores[0].metrics)) == "accuracy_profile_minus_wrong"
    told = log.eval.metadata[TASK]
    assert told["split"] == load_survey().split_fingerprint
    assert len(log.samples) == 40 * 13


def test_epochs_are_averaged_as_distributions(run_inspect):
    from valueflow_tasks.inspect_tasks import valueflow_opinions

    task = valueflow_opinions(groups=["climbers", "founders"])
    one = inspect_numbers(run_inspect(task, limit=15))
    two = inspect_numbers(run_inspect(task, limit=15, epochs=2))
    assert one == pytest.approx(two)


def test_letters_are_read_from_the_first_tokens_log_probabilities():
    import math

    from inspect_ai.model import TopLogprob

    from valueflow_tasks.inspect_tasks._opinions import letter_shares

    question = load_survey().part("test")[0]
    tokens = [
        TopLogprob(token=name, logprob=math.log(p))
        for name, p in ((" A", 0.3), ("A", 0.1), (" C", 0.4), ("The", 0.2))
    ]
    shares = letter_shares(question, tokens)
    shown = [0.5, 0, 0.5, 0, 0]
    assert shares == pytest.approx(tuple(shown[::-1] if question.reversed else shown))
    assert letter_shares(question, tokens[3:]) is None


def test_a_model_without_log_probabilities_is_told_to_answer_by_letter(run_inspect):
    from valueflow_tasks.inspect_tasks import valueflow_opinions

    log = run_inspect(valueflow_opinions(answer="loglikelihood"), limit=1)
    assert log.status == "error"
    assert "use answer=letter" in log.error.message


def test_results_of_opinions_are_no_run_of_intensities(tmp_path):
    pytest.importorskip("pandas")
    from valueflow_tasks.analysis._lm_eval import read_results

    path = tmp_path / "results_2026-01-01.json"
    content = {
        "configs": {TASK: {"metadata": {"valueflow_opinions": {}}}}, "results": {TASK: {}},
        "config": {"model": "m"},
    }  # fmt: skip
    path.write_text(json.dumps(content), "utf-8")
    assert read_results(path) == ([], [])


def test_the_scorer_takes_opinion_questions_only(tmp_path):
    pytest.importorskip("inspect_ai")
    from inspect_ai import Task
    from inspect_ai import eval as inspect_eval
    from inspect_ai.dataset import Sample

    from valueflow_tasks.inspect_tasks import chosen_option

    (log,) = inspect_eval(
        Task(dataset=[Sample("Who?", id="q1")], scorer=chosen_option()),
        model="valueflow/control",
        log_dir=str(tmp_path),
        display="none",
    )
    assert log.status == "error"
    assert "is no opinion question" in log.error.message
