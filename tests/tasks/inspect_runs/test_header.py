"""What the header of a log says of the run, its protocol above all."""

from __future__ import annotations

from typing import Any

from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.log import read_eval_log
from inspect_ai.model import GenerateConfig, get_model
from inspect_ai.solver import generate

from valueflow_tasks.inspect_tasks import valueflow_answers, valueflow_profile, valueflow_steer
from valueflow_tasks.queries import load_queries
from valueflow_tasks.settings import Settings

POWER = "svt/power"


def test_the_header_in_the_file_is_that_of_the_run(quick, folder, steered, header):
    assert header(read_eval_log(steered.location, header_only=True)) == header(steered)
    task = valueflow_steer(values=POWER, **quick)
    whole = task.metadata["valueflow"]["protocol"]
    first = Settings.parse(header(steered)["settings"]).query_set()[:2]
    assert header(steered)["protocol"] != whole
    assert header(steered)["protocol"] == Settings.parse(header(steered)["settings"]).protocol(
        [POWER], first, chat_template=False
    )


def test_a_run_of_everything_has_the_protocol_of_the_task(quick, run_inspect, header):
    task = valueflow_profile(values=POWER, queries="core", **quick)
    announced = dict(task.metadata["valueflow"])
    log = run_inspect(task, model="vfoffline/in-own-words")  # behind an API: through a template
    assert header(log) == announced
    assert announced["chat_template"] is True


def test_answers_that_are_judged_later_say_how_they_were_asked_for(run_inspect, header):
    task = valueflow_answers({"0": [POWER]}, queries="core")
    logs = [run_inspect(task, model=m, limit=1) for m in ("valueflow/control", "vfoffline/silent")]
    assert [header(log)["chat_template"] for log in logs] == [False, True]


def test_a_query_that_is_cut_off_within_its_levels_is_no_query_of_the_protocol(
    quick, folder, run, header
):
    found = {
        limit: header(run(valueflow_steer(values=POWER, **quick), folder, limit=limit))["protocol"]
        for limit in (5, 7, 9, 10)
    }
    assert len(set(found.values())) == 4


def test_chosen_samples_have_a_protocol_of_their_own(quick, folder, steered, run, header):
    queries = load_queries("test")
    chosen, first = (
        run(
            valueflow_profile(values=POWER, **quick),
            folder,
            sample_id=[f"{query.id}:0" for query in own],
        )
        for own in (queries[4:6], queries[:2])
    )
    limited = run(valueflow_profile(values=POWER, **quick), folder, limit=2)
    assert header(first)["protocol"] == header(limited)["protocol"]
    assert header(chosen)["protocol"] != header(limited)["protocol"]


def test_how_answers_are_generated_enters_the_protocol(quick, folder, run, header):
    def protocol(**given: Any) -> str:
        task = valueflow_profile(values=POWER, **quick)
        return header(run(task, folder, limit=1, **given))["protocol"]

    plain = protocol()
    assert plain != protocol(temperature=1.0)
    assert plain != protocol(system_message="Be brief.")
    assert plain == protocol(max_connections=3, timeout=60)


def test_a_model_s_own_settings_give_way_to_the_task_s_as_inspect_has_it(
    quick, run_inspect, header
):
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
