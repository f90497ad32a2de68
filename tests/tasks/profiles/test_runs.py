"""`valueflow profile` on answers of models that were judged already."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from valueflow_scorers import ValueFlowError, load_panel
from valueflow_scorers._measure import Answer, Instrument

from valueflow_tasks.cli import _profile, _score, cli  # noqa: F401  adds the commands
from valueflow_tasks.profiles import _runs as profile_runs
from valueflow_tasks.profiles import check_leak, load_profile, load_profiles
from valueflow_tasks.profiles._fit import fit_profiles
from valueflow_tasks.profiles._runs import is_run, read_runs
from valueflow_tasks.settings import Settings
from valueflow_tasks.theories import evaluated_values

JUDGE = "simulated:noise=1"
POWER = ("svt/power",)
QUESTION = "Should the boat be sold to the new owner?"

pytest.importorskip("pandas")


def run(command: str, *arguments: Any) -> str:
    result = CliRunner().invoke(cli, [command, *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def scored(tmp_path: Path, quick: str) -> Path:
    """What `valueflow score` made of answers to one question."""
    rows = [
        {"value": "svt/power", "response": one.text, "query": QUESTION, "author": "ann"}
        for one in load_panel("svt/power").sentinels[:4]
    ]
    source = tmp_path / "answers.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    run("score", source, "-o", tmp_path / "some.jsonl", "--judge", JUDGE, "--profile", quick)
    return tmp_path / "some.jsonl"


def test_answers_whose_words_are_lost_may_have_seen_anything(scored, tmp_path):
    """An output of `valueflow score` holds neither questions nor words; its source does."""
    whole, lost = tmp_path / "whole.json", tmp_path / "lost.json"
    run("profile", scored, "-o", whole)
    with pytest.raises(ValueFlowError, match="was built from 1 of the 1 questions"):
        check_leak(load_profile(whole), [("q", QUESTION)])
    check_leak(load_profile(whole), [("q", "Should the harvest be shared?")])
    (tmp_path / "answers.jsonl").rename(tmp_path / "moved.jsonl")
    assert "the answers cannot be shown" in run("profile", scored, "-o", lost)
    again = load_profile(lost)
    assert again.built_from.sentences is None
    assert again.built_from.judge is not None
    for question in (QUESTION, "Should the harvest be shared?"):
        with pytest.raises(ValueFlowError, match="words or questions its sources do not hold"):
            check_leak(again, [("q", question)])


def test_a_field_that_judged_answers_do_not_have_is_noted(scored, tmp_path):
    told = run("profile", scored, "--group-by", "author", "-o", tmp_path / "p.json")
    assert "note: judged answers have no 'author': they are grouped by model" in told
    assert list(load_profiles(tmp_path / "p.json")) == ["some"]


def logged(name: str, method: str, texts: Sequence[str], quick: str) -> Any:
    """The run of a model that gave these answers to one question under svt/power:+2."""
    from valueflow_tasks.analysis._run import Answered, Run

    settings = Settings(
        judge=JUDGE, profile=quick, method=method, vectors="v" if method == "vector" else ""
    )
    instrument = Instrument(JUDGE, profile=quick)
    asked = [Answer("q1", "Why?", text, POWER, "svt/power", 2.0, repeat=place)
             for place, text in enumerate(texts)]  # fmt: skip
    answers = [
        Answered(
            query_id="q1", query="Why?", kind="", targets={"svt/power": 2.0}, text=one.text,
            measure=POWER, estimates={v: e.to_dict() for v, e in found.estimates.items()},
            repeat=one.repeat,
        )
        for one, found in zip(asked, instrument.measure(asked), strict=True)
    ]  # fmt: skip
    return Run(
        id=name, source=name, harness="inspect", task="valueflow_steer", model="M", model_args={},
        control=False, settings=settings, protocol=None, judge=JUDGE, calibrated=True,
        judge_profile=instrument.judge_profile.fingerprint, generation={}, chat_template=None,
        answers=answers,
    )  # fmt: skip


@pytest.fixture
def read_logged(monkeypatch: pytest.MonkeyPatch, word_encoder: Any) -> Any:
    """What is read of some runs."""
    from valueflow_tasks.analysis._runs import Runs
    from valueflow_tasks.profiles._readings import About

    def read(*runs: Any) -> Any:
        monkeypatch.setattr(profile_runs, "load_runs", lambda paths: Runs(tuple(runs)))
        monkeypatch.setattr(
            profile_runs, "weigh", lambda texts, *_: [{POWER[0]: About(1.0, 0.2)} for _ in texts]
        )
        return read_runs([Path("x.eval")], None, POWER, word_encoder)[0]

    return read


def test_ways_of_steering_that_share_an_arm_stay_apart(read_logged, quick):
    low, *_, high = (one.text for one in sorted(load_panel("svt/power").sentinels,
                                                key=lambda one: one.intensity))  # fmt: skip
    by_prompt, by_vector = (
        logged("r1", "definition", [high], quick),
        logged("r2", "vector", [low], quick),
    )
    found = {
        one.group: one.estimate.intensity for one in read_logged(by_prompt, by_vector).readings
    }
    assert set(found) == {"M svt/power:+2 definition", "M svt/power:+2 vector"}
    assert found["M svt/power:+2 definition"] > 4 > -4 > found["M svt/power:+2 vector"]
    (alone,) = read_logged(by_prompt).readings
    assert alone.group == "M svt/power:+2"


def test_every_answer_to_a_question_that_was_put_again_counts(read_logged, quick):
    texts = [one.text for one in load_panel("svt/power").sentinels[:3]]
    read = read_logged(logged("r1", "definition", texts, quick))
    assert dict(read.texts) == {"M svt/power:+2": 3}
    (profile,) = fit_profiles(read).values()
    assert profile.scores["svt/power"].texts == 3
    assert profile.scores["svt/power"].distance == pytest.approx(0.2)


def test_people_and_models_stand_in_one_file(source, tmp_path, quick):
    """An output of `valueflow score` names the value of each line."""
    path, judge = source
    answers = tmp_path / "answers.jsonl"
    sentinels = [one for one in load_panel("svt/power").sentinels if one.intensity > 2]
    answers.write_text(
        "".join(
            json.dumps({"value": "svt/power", "response": one.text}) + "\n" for one in sentinels
        )
    )
    scored = tmp_path / "some-model.jsonl"
    run("score", answers, "-o", scored, "--judge", JUDGE, "--profile", quick)
    assert is_run(scored)
    assert not is_run(path)
    run(
        "profile",
        path,
        scored,
        "--group-by",
        "author",
        "--judge",
        judge,
        "-o",
        tmp_path / "both.json",
    )
    both = load_profiles(tmp_path / "both.json")
    assert list(both) == ["author 0", "author 1", "author 2", "author 3", "some-model"]
    true = sum(one.intensity for one in sentinels) / len(sentinels)
    low, high = both["some-model"].scores["svt/power"].interval(0.99)
    assert low <= true <= high


def test_logs_of_both_harnesses_give_the_same_profile(run_inspect, tmp_path, word_encoder, quick):
    import lm_eval
    import lm_eval.models
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    from valueflow_tasks.inspect_tasks import valueflow_profile
    from valueflow_tasks.lm_eval_tasks._link import config_folder

    values = ["svt", "mft"]
    given = {"judge": JUDGE, "profile": quick, "queries": "core", "values": values}
    log = run_inspect(valueflow_profile(**given), limit=5)
    tracker = EvaluationTracker(output_path=str(tmp_path / "lm"))
    manager = TaskManager(include_path=str(config_folder()), include_defaults=False, metadata=given)
    found = lm_eval.simple_evaluate(
        model="valueflow-control", model_args={"mode": "oracle"}, tasks=["valueflow_profile"],
        task_manager=manager, limit=5, log_samples=True, evaluation_tracker=tracker,
    )  # fmt: skip
    samples = found.pop("samples")
    tracker.save_results_aggregated(results=found, samples=samples)
    tracker.save_results_samples("valueflow_profile", samples["valueflow_profile"])
    (sample_file,) = (tmp_path / "lm").rglob("samples_*.jsonl")
    assert is_run(sample_file)
    fitted = []
    for path in (sample_file, Path(log.location)):
        read, _ = read_runs([path], None, evaluated_values(), word_encoder)
        (profile,) = fit_profiles(read).values()
        assert profile.texts == 5
        assert profile.built_from.encoder == "words"
        fitted.append(profile)
    first, second = (one.to_dict()["values"] for one in fitted)
    assert first == second
    from valueflow_tasks.queries import load_queries

    with pytest.raises(ValueFlowError, match="built from 1 of the 1 questions"):
        check_leak(fitted[0], [("x", load_queries("core")[0].text)])
