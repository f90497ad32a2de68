"""The tasks in Inspect, run with `eval` and read back as users read logs."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest

pytest.importorskip("inspect_ai")

from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai import score as inspect_score
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import (
    ChatMessageAssistant,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    get_model,
    modelapi,
)
from inspect_ai.model._model_output import ChatCompletionChoice
from inspect_ai.solver import generate
from valueflow_scorers import (
    AnchorEvaluator,
    JudgeProfile,
    Response,
    ValueFlowError,
    load_panel,
    panel_values,
)

from valueflow_tasks.controls import control_answer, neutral_answer
from valueflow_tasks.inspect_tasks import anchor_intensity, valueflow_profile, valueflow_steer
from valueflow_tasks.prompts import LEVELS, exemplars, steering_text, user_turn
from valueflow_tasks.queries import load_queries
from valueflow_tasks.settings import RESULTS_VERSION, Settings, measurable_values
from valueflow_tasks.steering import SteeringSpec

JUDGE = "simulated:noise=1"
POWER = "svt/power"
KNOWN = {text.text: text.intensity for text in load_panel(POWER).texts}
_ITEM = re.compile(r"<<<item (\w) (\w+)>>>\nQuestion: .*?\nAnswer: (.*?)\n<<<end \1 \2>>>", re.S)


class OfflineAPI(ModelAPI):
    """Judges and models under test by name; a usage is set, so no tokenizer is fetched."""

    prompts: list[str] = []  # noqa: RUF012
    tags: list[str] = []  # noqa: RUF012
    calls = 0

    def __init__(self, model_name: str, *_: Any, tag: str = "", **__: Any) -> None:
        super().__init__(model_name, None, None, [], GenerateConfig())
        self.tag = tag

    async def generate(self, input: Any, *_: Any, **__: Any) -> ModelOutput:
        prompt = input[-1].text
        OfflineAPI.prompts.append(prompt)
        OfflineAPI.tags.append(self.tag)
        OfflineAPI.calls += 1
        text, stop = getattr(self, f"_{self.model_name.replace('-', '_')}")(prompt)
        choice = ChatCompletionChoice(message=ChatMessageAssistant(content=text), stop_reason=stop)
        usage = ModelUsage(input_tokens=100, output_tokens=10, total_tokens=110)
        return ModelOutput(model=self.model_name, choices=[choice], usage=usage)

    def _knows_power(self, prompt: str) -> tuple[str, str]:
        items = [(letter, KNOWN.get(text, 0.0)) for letter, _, text in _ITEM.findall(prompt)]
        items.sort(key=lambda item: -item[1])
        return json.dumps([letter for letter, _ in items]), "stop"

    def _babbles(self, prompt: str) -> tuple[str, str]:
        return "They are all fine answers.", "stop"

    def _filtered(self, prompt: str) -> tuple[str, str]:
        return control_answer(prompt, "oracle"), "content_filter"

    def _silent(self, prompt: str) -> tuple[str, str]:
        return "  \n", "stop"

    def _in_own_words(self, prompt: str) -> tuple[str, str]:
        return "I would think it over and then take the bus.", "stop"

    def _by_turns(self, prompt: str) -> tuple[str, str]:
        ranked = sorted(KNOWN, key=KNOWN.__getitem__)
        return ranked[-1 if OfflineAPI.calls % 2 else 0], "stop"


@modelapi(name="vfoffline")
def vfoffline() -> type[ModelAPI]:
    return OfflineAPI


@pytest.fixture(autouse=True)
def fresh() -> None:
    OfflineAPI.prompts.clear()
    OfflineAPI.tags.clear()
    OfflineAPI.calls = 0


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings under which nothing has to be fitted first."""
    path = tmp_path_factory.mktemp("profile") / "profile.json"
    JudgeProfile("simulated:noise=1:text=0", tau=1.0, omegas=(0.1,), calibrated=True).save(path)
    return {"judge": JUDGE, "profile": str(path)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("logs"))


def _run(task: Task, folder: str, mode: str = "oracle", **given: Any) -> EvalLog:
    (log,) = inspect_eval(
        task,
        model="valueflow/control",
        model_args={"mode": mode},
        log_dir=folder,
        display="none",
        **given,
    )
    assert log.status == "success", log.error
    return log


@pytest.fixture(scope="module")
def steered(quick: dict[str, str], folder: str) -> EvalLog:
    """Two queries at five levels: looked at by many tests, changed by none."""
    return _run(valueflow_steer(values=POWER, **quick), folder, limit=10)


@pytest.fixture(scope="module")
def profiled(quick: dict[str, str], folder: str) -> EvalLog:
    return _run(valueflow_profile(values=[POWER, "mft/care"], **quick), folder, limit=2)


def metrics(log: EvalLog) -> dict[str, float]:
    (scored,) = log.results.scores
    return {name: one.value for name, one in scored.metrics.items()}


def score_of(sample: Any) -> Any:
    return sample.scores["anchor_intensity"]


def measured(log: EvalLog) -> dict[str, dict[str, Any]]:
    """Estimates by response id and value."""
    return {
        f"{one['response_id']} {value}": one
        for sample in log.samples
        for value, one in score_of(sample).metadata["measured"]["estimates"].items()
    }


# -- samples


def test_level_zero_is_asked_once_and_queries_come_one_after_the_other(quick):
    task = valueflow_steer(values=[POWER, "mft/care"], queries="core", **quick)
    ids = [sample.id for sample in task.dataset]
    assert len(ids) == len(set(ids)) == 20 * (1 + 2 * 4)
    for index, query in enumerate(load_queries("core")):
        own = ids[9 * index : 9 * index + 9]
        assert sorted(own) == sorted(
            [f"{query.id}:0"]
            + [
                f"{query.id}:{value}:{level:+d}"
                for value in (POWER, "mft/care")
                for level in LEVELS
                if level
            ]
        )
        assert own[0] == f"{query.id}:0"


def test_prompts_are_those_of_the_protocol(quick):
    task = valueflow_steer(values=POWER, queries="core", **quick)
    by_id = {sample.id: sample.input for sample in task.dataset}
    query = load_queries("core")[0]
    assert by_id[f"{query.id}:0"] == user_turn(query.text)
    steering = steering_text(POWER, -2)
    assert by_id[f"{query.id}:{POWER}:-2"] == user_turn(query.text, steering)
    assert (task.config.temperature, task.config.max_tokens) == (0.0, 160)


def test_exemplars_steer_in_place_of_definitions(quick):
    task = valueflow_steer(values=POWER, queries="core", method="exemplars", **quick)
    sample = next(sample for sample in task.dataset if sample.id.endswith(":+2"))
    assert all(text in sample.input for text in exemplars(POWER)[2])
    assert steering_text(POWER, 2) not in sample.input


def test_a_theory_stands_for_its_values_and_everything_is_the_default(quick):
    assert len(valueflow_steer(theory="pvq", queries="core", **quick).dataset) == 20 * (1 + 48)
    task = valueflow_profile(queries="core", **quick)
    assert task.dataset[0].metadata["valueflow"]["measure"] == list(measurable_values())


# -- results


def test_the_oracle_tracks_and_the_headline_carries_its_error(steered, folder):
    found = metrics(steered)
    assert found["tracking"] >= 0.9
    assert 3 < found["gain"] < 5
    assert found["stderr"] > 0, "the headline's error is read from a key named stderr"
    from inspect_ai.analysis import evals_df

    frame = evals_df(folder)
    row = frame[frame["log"].str.contains(steered.eval.task_id)].iloc[0]
    assert row["score_headline_metric"] == "steerability"
    assert row["score_headline_value"] == pytest.approx(found["steerability"])
    assert row["score_headline_stderr"] == pytest.approx(found["stderr"])


def test_the_profile_s_headline_is_strength_with_its_error(profiled, folder):
    found = metrics(profiled)
    names = {"strength", "stderr", "intensity_svt_power", "intensity_mft_care", "refusal",
             "unscored", "intensity_svt_power_stderr", "intensity_mft_care_stderr"}  # fmt: skip
    assert names <= set(found)
    from inspect_ai.analysis import evals_df

    frame = evals_df(folder)
    row = frame[frame["log"].str.contains(profiled.eval.task_id)].iloc[0]
    assert row["score_headline_metric"] == "strength"
    assert row["score_headline_value"] == pytest.approx(found["strength"])
    assert row["score_headline_stderr"] == pytest.approx(found["stderr"])


def test_metrics_are_those_of_the_design_and_never_nan(steered):
    found = metrics(steered)
    for name in ("steerability_up", "steerability_down", "tracking", "gain", "intensity"):
        assert f"{name}_stderr" in found
    assert {"refusal", "unscored"} <= set(found)
    assert all(math.isfinite(one) for one in found.values())
    assert "leakage" not in found


def test_over_several_values_the_plain_name_is_their_mean(quick, folder):
    log = _run(valueflow_steer(values=[POWER, "mft/care"], **quick), folder, limit=9)
    found = metrics(log)
    for name in ("gain", "tracking", "steerability", "intensity"):
        own = [found[f"{slug}/{name}"] for slug in ("svt_power", "mft_care")]
        assert found[name] == pytest.approx(sum(own) / 2)
        assert f"svt_power/{name}_stderr" in found


def test_off_target_values_are_measured_when_asked_and_leakage_appears(quick, folder):
    task = valueflow_steer(values="mft/care", off_target="theory", **quick)
    log = _run(task, folder, limit=5)
    assert 0 <= metrics(log)["leakage"] < 0.5
    assert all(len(score_of(sample).value) == 6 for sample in log.samples)


def test_a_sample_s_score_is_its_intensities_and_keeps_every_window(steered):
    for sample in steered.samples:
        one = score_of(sample)
        assert list(one.value) == ["svt_power"]
        assert -10 <= one.value["svt_power"] <= 10
        assert one.answer == sample.output.completion
        estimate = one.metadata["measured"]["estimates"][POWER]
        assert estimate["response_id"] == sample.id
        assert estimate["intensity"] == pytest.approx(one.value["svt_power"], abs=1e-4)
        assert len(estimate["windows"]) >= 3


def test_the_log_names_version_protocol_and_a_pinned_diverging_palette(steered):
    assert steered.eval.task_version == f"{RESULTS_VERSION}-A"
    about = steered.eval.metadata["valueflow"]
    assert len(about["protocol"]) == len(about["profile"]) == 16
    assert about["calibrated"] is True
    scale = steered.eval.viewer.task_samples_view.score_color_scales["svt_power"]
    assert (scale.palette, scale.min, scale.max) == ("diverging", -10, 10)


def test_the_log_survives_its_file(steered):
    again = read_eval_log(steered.location)
    assert metrics(again) == metrics(steered)
    assert measured(again) == measured(steered)


def test_tasks_are_found_by_the_package_s_name(quick, run_inspect):
    log = run_inspect(
        "valueflow_tasks/valueflow_profile",
        task_args={"values": POWER, "queries": "core", **quick},
        limit=1,
    )
    assert log.status == "success", log.error
    assert "intensity_svt_power" in metrics(log)


def test_the_inert_has_no_gain_and_the_contrary_a_negative_one(quick, folder):
    inert = metrics(_run(valueflow_steer(values=POWER, **quick), folder, "inert", limit=30))
    assert abs(inert["gain"]) < 3 * inert["gain_stderr"]
    contrary = metrics(_run(valueflow_steer(values=POWER, **quick), folder, "contrary", limit=10))
    assert contrary["gain"] < -2
    assert contrary["tracking"] < -0.8


# -- the same as in lm-eval


def test_both_harnesses_give_the_same_estimates_for_the_same_answers(steered, quick, run_lm_eval):
    found = run_lm_eval("valueflow_steer_svt_power", limit=2, **quick)
    theirs = {
        f"{one['response_id']} {value}": one
        for sample in found["samples"]["valueflow_steer_svt_power"]
        for raw in sample["filtered_resps"]
        for value, one in json.loads(raw)["estimates"].items()
    }
    assert theirs == measured(steered)
    assert len(theirs) == 10


def test_both_harnesses_give_the_same_metrics(steered, profiled, quick, run_lm_eval):
    for log, task, headline in (
        (steered, "valueflow_steer_svt_power", "steerability"),
        (profiled, "valueflow_profile", "strength"),
    ):
        values = {"values": "[svt/power,mft/care]"} if log is profiled else {}
        found = run_lm_eval(task, limit=2, **values, **quick)["results"][task]
        for name, number in metrics(log).items():
            theirs = f"{headline}_stderr" if name == "stderr" else name
            assert found[f"{theirs},valueflow"] == pytest.approx(number, abs=1e-9), name


def test_both_harnesses_name_the_same_protocol(steered, quick, run_lm_eval):
    task = "valueflow_steer_svt_power"
    found = run_lm_eval(task, limit=2, arguments={"apply_chat_template": True}, **quick)
    theirs = found["configs"][task]["metadata"]["valueflow"]["protocol"]
    assert theirs == steered.eval.metadata["valueflow"]["protocol"]


def test_both_harnesses_reach_the_released_evaluator_and_agree(folder, run_lm_eval):
    settings = {"judge": JUDGE, "compat": "valueflow"}
    log = _run(valueflow_steer(values=POWER, **settings), folder, limit=5)
    found = run_lm_eval("valueflow_steer_svt_power", limit=1, **settings)
    theirs = {
        f"{one['response_id']} {value}": one
        for sample in found["samples"]["valueflow_steer_svt_power"]
        for raw in sample["filtered_resps"]
        for value, one in json.loads(raw)["estimates"].items()
    }
    assert measured(log) == theirs
    assert all("stderr" not in one for one in theirs.values())


# -- answers without a number


def test_refusals_are_counted_and_given_no_number(quick, folder):
    log = _run(valueflow_steer(values=POWER, **quick), folder, "refuser", limit=5)
    found = metrics(log)
    assert found["refusal"] == 1
    assert not {"intensity", "gain", "tracking", "steerability"} & set(found)
    for sample in log.samples:
        one = score_of(sample)
        assert one.reason == "refusal"
        assert math.isnan(one.value["svt_power"])
        assert "refusal" in one.explanation


def test_a_content_filter_s_stop_is_a_refusal_whatever_was_written(quick, run_inspect):
    log = run_inspect(valueflow_profile(values=POWER, **quick), model="vfoffline/filtered", limit=2)
    assert metrics(log)["refusal"] == 1
    assert {score_of(sample).reason for sample in log.samples} == {"refusal"}


def test_an_empty_answer_is_unscored_with_its_reason(quick, run_inspect):
    log = run_inspect(valueflow_profile(values=POWER, **quick), model="vfoffline/silent", limit=2)
    found = metrics(log)
    assert found["unscored"] == 1
    assert found["refusal"] == 0
    assert "intensity_svt_power" not in found
    for sample in log.samples:
        assert score_of(sample).reason == "no_response"
        assert "empty response" in score_of(sample).explanation
        assert math.isnan(score_of(sample).value["svt_power"])


def test_a_judge_without_a_verdict_gives_no_number_and_says_so(quick, run_inspect):
    task = valueflow_profile(values=POWER, **quick)
    log = run_inspect(task, model="vfoffline/in-own-words", limit=2)
    assert metrics(log)["unscored"] == 1
    for sample in log.samples:
        one = score_of(sample)
        assert one.reason == "grader_failed"
        assert math.isnan(one.value["svt_power"])
        kept = one.metadata["measured"]["estimates"][POWER]
        assert kept["failures"] == {"unknown text": len(kept["windows"])}
        assert "intensity" not in kept


# -- judges


def test_the_model_bound_to_grader_judges(run_inspect):
    task = valueflow_profile(values=POWER, queries="core")
    log = run_inspect(task, limit=2, model_roles={"grader": "vfoffline/knows-power"})
    assert log.status == "success", log.error
    assert len(OfflineAPI.prompts) == 2 * 3
    for sample in log.samples:
        one = score_of(sample)
        assert one.metadata["settings"]["judge"] == "ranking:vfoffline/knows-power"
        windows = one.metadata["measured"]["estimates"][POWER]["windows"]
        assert all(json.loads(window["raw"]) for window in windows)
        assert abs(one.value["svt_power"]) < 2.5, "another value's neutral text"


def test_a_grader_s_judgements_are_bought_once(run_inspect):
    for _ in range(2):
        task = valueflow_profile(values=POWER, queries="core", seed=11)
        run_inspect(task, limit=1, model_roles={"grader": "vfoffline/knows-power"})
    assert len(OfflineAPI.prompts) == 3


def test_the_grader_judges_as_it_was_bound(run_inspect):
    bound = get_model("vfoffline/knows-power", tag="as bound")
    task = valueflow_profile(values=POWER, queries="core", seed=12)
    log = run_inspect(task, limit=1, model_roles={"grader": bound})
    assert log.status == "success", log.error
    assert set(OfflineAPI.tags) == {"as bound"}


def test_a_log_judged_by_a_grader_does_not_claim_another_judge(run_inspect):
    task = valueflow_profile(values=POWER, queries="core", seed=13)
    log = run_inspect(task, limit=1, model_roles={"grader": "vfoffline/knows-power"})
    about = log.eval.metadata["valueflow"]
    assert about["settings"]["judge"] != "embedded"
    assert about["calibrated"] is False


def test_a_grader_bound_otherwise_is_another_judge_that_pays_for_itself(run_inspect):
    task = valueflow_profile(values=POWER, queries="core", seed=15)
    names = set()
    for given in (
        {},
        {"tag": "other"},
        {"config": GenerateConfig(reasoning_effort="high")},
        {"config": GenerateConfig(max_connections=3, timeout=60), "api_key": "secret"},
    ):
        bound = get_model("vfoffline/knows-power", memoize=False, **given)
        log = run_inspect(task, limit=1, model_roles={"grader": bound})
        assert log.status == "success", log.error
        settings = score_of(log.samples[0]).metadata["settings"]
        assert log.eval.metadata["valueflow"]["settings"]["judge"] == settings["judge"]
        names.add(settings["judge"])
    # How it is reached makes no other judge of it, and costs nothing again.
    assert len(names) == 3
    assert "ranking:vfoffline/knows-power" in names
    assert len(OfflineAPI.prompts) == 3 * 3
    assert "secret" not in str(names)


def test_a_task_that_runs_again_is_announced_anew(quick, run_inspect):
    task = valueflow_profile(values=POWER, queries="core", judge=quick["judge"], seed=17)
    announced = dict(task.metadata["valueflow"])
    first = run_inspect(task, limit=1, model_roles={"grader": "vfoffline/knows-power"})
    again = run_inspect(task)
    assert header(first)["settings"]["judge"] == "ranking:vfoffline/knows-power"
    assert header(again) == task.metadata["valueflow"] == announced


def test_what_a_grader_judged_can_be_read_without_it(run_inspect):
    bound = get_model("vfoffline/knows-power", tag="gone", memoize=False)
    task = valueflow_profile(values=POWER, queries="core", seed=16)
    log = run_inspect(task, limit=1, model_roles={"grader": bound})
    from valueflow_scorers.judges import model as judges

    judge = log.eval.metadata["valueflow"]["settings"]["judge"]
    del judges._BOUND[judge.removeprefix("ranking:")]
    settings = Settings.parse(score_of(log.samples[0]).metadata["settings"])
    (again,) = settings.instrument().restore([score_of(log.samples[0]).metadata["measured"]])
    assert again.estimates[POWER].scored
    with pytest.raises(ValueFlowError, match="role `grader`"):
        AnchorEvaluator(load_panel(POWER), judge, m=1, k=5).score([Response("Anything new.")])


def test_a_grader_that_never_answers_in_order_gives_no_number(run_inspect):
    task = valueflow_profile(values=POWER, queries="core", seed=14)
    log = run_inspect(task, limit=1, model_roles={"grader": "vfoffline/babbles"})
    assert log.status == "success", log.error
    assert metrics(log) == {"refusal": 0, "unscored": 1}
    assert score_of(log.samples[0]).reason == "grader_failed"


# -- what the header says


def header(log: EvalLog) -> dict[str, Any]:
    return log.eval.metadata["valueflow"]


def test_the_header_in_the_file_is_that_of_the_run(quick, folder, steered):
    assert header(read_eval_log(steered.location, header_only=True)) == header(steered)
    task = valueflow_steer(values=POWER, **quick)
    whole = task.metadata["valueflow"]["protocol"]
    first = Settings.parse(header(steered)["settings"]).query_set()[:2]
    assert header(steered)["protocol"] != whole
    assert header(steered)["protocol"] == Settings.parse(header(steered)["settings"]).protocol(
        [POWER], first, chat_template=True
    )


def test_a_run_of_everything_has_the_protocol_of_the_task(quick, folder):
    task = valueflow_profile(values=POWER, queries="core", **quick)
    announced = dict(task.metadata["valueflow"])
    assert header(_run(task, folder)) == announced


def test_a_query_that_is_cut_off_within_its_levels_is_no_query_of_the_protocol(quick, folder):
    found = {
        limit: header(_run(valueflow_steer(values=POWER, **quick), folder, limit=limit))["protocol"]
        for limit in (5, 7, 9, 10)
    }
    assert len(set(found.values())) == 4


def test_chosen_samples_have_a_protocol_of_their_own(quick, folder, steered):
    queries = load_queries("test")
    chosen, first = (
        _run(
            valueflow_profile(values=POWER, **quick),
            folder,
            sample_id=[f"{query.id}:0" for query in own],
        )
        for own in (queries[4:6], queries[:2])
    )
    limited = _run(valueflow_profile(values=POWER, **quick), folder, limit=2)
    assert header(first)["protocol"] == header(limited)["protocol"]
    assert header(chosen)["protocol"] != header(limited)["protocol"]


def test_how_answers_are_generated_enters_the_protocol(quick, folder):
    def protocol(**given: Any) -> str:
        task = valueflow_profile(values=POWER, **quick)
        return header(_run(task, folder, limit=1, **given))["protocol"]

    plain = protocol()
    assert plain != protocol(temperature=1.0)
    assert plain != protocol(system_message="Be brief.")
    assert plain == protocol(max_connections=3, timeout=60)


def test_a_model_s_own_settings_give_way_to_the_task_s_as_inspect_has_it(quick, run_inspect):
    found = set()
    for config in (GenerateConfig(), GenerateConfig(temperature=1.0), GenerateConfig(top_p=0.5)):
        model = get_model("valueflow/control", config=config, memoize=False)
        log = run_inspect(valueflow_profile(values=POWER, **quick), model=model, limit=1)
        found.add(header(log)["protocol"])
    assert len(found) == 2, "the task's temperature is in force, and a top_p that it leaves open"


def test_other_tasks_headers_are_left_alone(run_inspect):
    task = Task(
        dataset=[Sample("x")], solver=generate(), metadata={"valueflow": {"mine": 1}, "more": 2}
    )
    assert run_inspect(task).eval.metadata == {"valueflow": {"mine": 1}, "more": 2}


# -- samples that carry their steering


class ObedientAPI(OfflineAPI):
    """Says that it takes a spec with each request."""

    valueflow_specs = True


@modelapi(name="vfobedient")
def vfobedient() -> type[ModelAPI]:
    return ObedientAPI


def _carrying(quick: dict[str, str], prompt: str = "You are brave.") -> Task:
    task = valueflow_profile(values=POWER, **quick)
    for sample in task.dataset:
        sample.metadata["valueflow"]["spec"] = SteeringSpec(prompt=prompt).to_dict()
    return task


def test_a_sample_says_which_steering_it_was_answered_under(quick, run_inspect):
    task = _carrying(quick)
    log = run_inspect(task, model="vfobedient/in-own-words", limit=1)
    assert log.status == "success", log.error
    again = inspect_score(log, anchor_intensity(**quick), action="overwrite", display="none")
    assert "anchor_intensity" in again.samples[0].scores
    other = SteeringSpec(prompt="You are meek.").to_dict()
    log.samples[0].metadata["valueflow"]["spec"] = other
    with pytest.raises(ValueFlowError, match="was answered without the steering"):
        inspect_score(log, anchor_intensity(**quick), action="overwrite", display="none")


def test_an_answer_of_another_solver_is_not_scored_as_steered(quick, run_inspect):
    log = run_inspect(_carrying(quick), model="vfobedient/in-own-words", limit=1, solver=generate())
    assert log.status == "error"
    assert "leave out --solver" in log.error.message


# -- logs that exist already


def test_an_own_log_is_scored_again_with_other_settings(steered, quick):
    again = inspect_score(
        steered, anchor_intensity(m=5, **quick), action="overwrite", display="none"
    )
    assert metrics(again)["tracking"] >= 0.9
    assert {len(one["windows"]) for one in measured(again).values()} == {5}
    same = inspect_score(steered, anchor_intensity(**quick), action="overwrite", display="none")
    assert measured(same) == measured(steered)
    assert metrics(same)["gain"] == pytest.approx(metrics(steered)["gain"])


@pytest.fixture
def foreign(run_inspect) -> EvalLog:
    """A log of somebody else's task, whose answers are texts of known intensity."""
    samples = [
        Sample(id=f"case {level}", input=user_turn("Who goes first?", steering_text(POWER, level)))
        for level in (-2, 2)
    ]
    return run_inspect(Task(dataset=samples, solver=generate(), name="foreign"))


def test_a_foreign_task_s_log_is_measured_on_the_values_named(foreign, quick):
    log = inspect_score(foreign, anchor_intensity(values=POWER, **quick), display="none")
    by_id = {sample.id: score_of(sample).value["svt_power"] for sample in log.samples}
    assert by_id["case 2"] > 4
    assert by_id["case -2"] < -4
    found = metrics(log)
    assert "intensity_svt_power" in found
    assert "gain" not in found
    assert found["stderr"] > 0


def test_a_foreign_task_s_log_needs_values_and_the_remedy_is_named(foreign, quick):
    with pytest.raises(ValueFlowError, match=r"case.*-S values=svt/power"):
        inspect_score(foreign, anchor_intensity(**quick), display="none")


# -- bad input


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


@pytest.mark.parametrize(
    ("model", "arguments", "words"),
    [
        ("valueflow/contrl", {}, "control"),
        ("valueflow/control", {"mode": "orcale"}, "oracle"),
    ],
)
def test_an_unknown_control_model_is_refused_with_the_nearest(model, arguments, words):
    with pytest.raises(ValueFlowError, match=words):
        get_model(model, **arguments)


def test_modes_of_the_control_model_do_not_share_a_cache(quick, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("INSPECT_CACHE_DIR", str(tmp_path / "cache"))
    sample = Sample(user_turn("Who?", steering_text(POWER, 2)))
    answers = {
        mode: _run(Task(dataset=[sample], solver=generate(cache=True)), folder, mode)
        .samples[0]
        .output.completion
        for mode in ("oracle", "contrary", "inert")
    }
    assert len(set(answers.values())) == 3
    assert answers["inert"] == neutral_answer()


def test_every_epoch_enters_the_metrics(quick, run_inspect):
    log = run_inspect(
        valueflow_profile(values=POWER, **quick),
        model="vfoffline/by-turns",  # the strongest text, then the weakest
        limit=1,
        epochs=2,
        max_connections=1,
        max_samples=1,
    )
    placed = [score_of(sample).value["svt_power"] for sample in log.samples]
    assert max(placed) > 5
    assert min(placed) < -5
    assert abs(metrics(log)["intensity_svt_power"]) < 3


def test_each_epoch_has_windows_of_its_own_and_the_first_is_that_of_a_single_run(
    quick, folder, steered
):
    log = _run(valueflow_steer(values=POWER, **quick), folder, limit=10, epochs=3)
    assert len(measured(log)) == len(log.samples) == 30
    assert {name: one for name, one in measured(log).items() if name in measured(steered)} == (
        measured(steered)
    )
    alone, repeated = metrics(steered), metrics(log)
    assert set(repeated) == set(alone)
    assert abs(repeated["gain"] - alone["gain"]) < 2 * alone["gain_stderr"]
    assert repeated["no_op_up"] == alone["no_op_up"]


def test_every_panel_is_offered_to_the_viewer(quick):
    labels = valueflow_profile(queries="core", **quick).viewer.task_samples_view.score_labels
    assert sorted(labels.values()) == sorted(panel_values())
