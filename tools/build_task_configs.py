"""Write the lm-eval YAML: one thin file per steer task, the groups, the profile.

Run after a change to the evaluated values: `python tools/build_task_configs.py`.
"""

from __future__ import annotations

from pathlib import Path

from valueflow_scorers.metrics import value_slug

from valueflow_tasks.settings import RESULTS_VERSION, measurable_values
from valueflow_tasks.theories import THEORIES
from valueflow_tasks.vidb._values import OWN

FOLDER = Path(__file__).parents[1] / "task_configs"
VERSION = f"{RESULTS_VERSION}.0"

COMMON = f"""\
# What all ValueFlow tasks share. `version` is RESULTS_VERSION of valueflow_tasks/settings.py.
test_split: test
output_type: generate_until
num_fewshot: 0
repeats: 1
generation_kwargs:
  until: []
  do_sample: false
  temperature: 0.0
  max_gen_toks: 160
metric_list: []
filter_list:
  - name: valueflow
    filter:
      - function: anchor_intensity
metadata:
  version: {VERSION}
"""

PROFILE = """\
include: _valueflow_common
task: valueflow_profile
class: !function valueflow_tasks.lm_eval_tasks.ProfileTask
"""

COMPOSE = """\
include: _valueflow_common
task: valueflow_compose
class: !function valueflow_tasks.lm_eval_tasks.ComposeTask
"""

OPINIONS = f"""\
task: valueflow_opinions
class: !function valueflow_tasks.lm_eval_tasks.OpinionsTask
test_split: test
output_type: loglikelihood
num_fewshot: 0
repeats: 1
metric_list: []
metadata:
  version: {VERSION}
"""

STEER = """\
include: _valueflow_common
task: {task}
class: !function valueflow_tasks.lm_eval_tasks.SteerTask
dataset_kwargs:
  value: {value}
"""

GROUP = """\
group: {group}
task:
{tasks}
aggregate_metric_list:
  - metric: steerability
    aggregation: mean
    weight_by_size: false
    filter_list: [valueflow]
  - metric: tracking
    aggregation: mean
    weight_by_size: false
    filter_list: [valueflow]
metadata:
  version: {version}
"""


def main() -> None:
    """Write all files."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*"):
        if old.is_file():
            old.unlink()
    write("_valueflow_common", COMMON)
    write("valueflow_profile.yaml", PROFILE)
    write("valueflow_compose.yaml", COMPOSE)
    write("valueflow_opinions.yaml", OPINIONS)
    groups = []
    for theory in THEORIES:
        tasks = []
        for value in measurable_values():
            if value.startswith(f"{theory}/"):
                task = f"valueflow_steer_{value_slug(value)}"
                write(f"{task}.yaml", STEER.format(task=task, value=value))
                tasks.append(task)
        if tasks:
            groups.append(f"valueflow_steer_{theory}")
            write(f"{groups[-1]}.yaml", group(groups[-1], listed(tasks)))
    # A value of one's own has no file of its own: --metadata values=DIR names it.
    write("valueflow_steer_own.yaml", STEER.format(task="valueflow_steer_own", value=OWN))
    everything = listed(["valueflow_profile", *groups])
    write("valueflow.yaml", group("valueflow", everything))


def group(name: str, tasks: str) -> str:
    """The file of a group."""
    return GROUP.format(group=name, tasks=tasks, version=VERSION)


def listed(names: list[str]) -> str:
    """A YAML list."""
    return "\n".join(f"  - {name}" for name in names)


def write(name: str, content: str) -> None:
    """One file."""
    (FOLDER / name).write_text(content, "utf-8")


if __name__ == "__main__":
    main()
