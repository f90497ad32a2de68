"""`valueflow lm-eval`, `link` and `path`."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from valueflow_scorers import JudgeProfile


def test_path_prints_the_folder_of_the_task_files(valueflow):
    found = valueflow("path")
    assert found.code == 0
    assert (Path(found.out.strip()) / "valueflow.yaml").is_file()
    assert found.out.count("\n") == 1, "nothing else, for use in $(…)"


def test_link_check_says_where_and_by_exit_code_whether(valueflow, tmp_path, monkeypatch):
    pytest.importorskip("lm_eval")
    from valueflow_tasks.lm_eval_tasks import _link

    folder = tmp_path / "tasks" / "valueflow"
    folder.parent.mkdir()
    monkeypatch.setattr(_link, "linked_folder", lambda: folder)
    assert valueflow("link", "--check") == (1, f"not linked: {folder}\n", "")
    assert valueflow("link") == (0, f"linked {folder}\n", "")
    assert valueflow("link", "--check") == (0, f"linked: {folder}\n", "")
    assert valueflow("link", "--undo").code == 0
    assert not folder.exists()
    folder.mkdir()
    refused = valueflow("link")
    assert refused.code == 2
    assert "left alone" in refused.err


@pytest.mark.parametrize("line", [["--include_path", "DIR"], ["--include_path=DIR"],
                                  ["--config", "RUN"], []])  # fmt: skip
def test_the_user_s_folder_of_tasks_is_found_and_ours_too(valueflow, tmp_path, monkeypatch, line):
    pytest.importorskip("lm_eval")
    from lm_eval._cli.harness import HarnessCLI

    from valueflow_tasks.lm_eval_tasks import _link

    monkeypatch.setattr(_link, "is_linked", lambda: False)
    chosen = []
    monkeypatch.setattr(HarnessCLI, "execute", lambda self, given: chosen.append(given))
    config = tmp_path / "run.yaml"
    config.write_text(f"include_path: {tmp_path}\n", "utf-8")
    given = [one.replace("DIR", str(tmp_path)).replace("RUN", str(config)) for one in line]
    assert valueflow("lm-eval", "--tasks", "valueflow_profile", *given).code == 0
    theirs = [str(tmp_path)] if line else []
    assert chosen[0].include_path == [str(_link.config_folder()), *theirs]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--tasks", "nonsense"], "Tasks not found: nonsense"),
        (["--tasks", "valueflow_profile", "--model", "nonsense"], "model 'nonsense'"),
        (["--tasks", "valueflow_profile", "--model", "hf"], "'pretrained'"),
        (["--model", "valueflow-control"], "No tasks specified"),
        (["--config", "BROKEN"], "Invalid YAML"),
    ],
)
def test_what_the_harness_refuses_is_one_line(valueflow, monkeypatch, tmp_path, given, words):
    tasks = pytest.importorskip("lm_eval.tasks")
    ours = partial(tasks.TaskManager, include_defaults=False)  # the others take long to list
    monkeypatch.setattr(tasks, "TaskManager", ours)
    broken = tmp_path / "broken.yaml"
    broken.write_text("tasks: [", "utf-8")
    found = valueflow("lm-eval", *(str(broken) if one == "BROKEN" else one for one in given))
    assert found.code == 2
    told = found.err[found.err.index("valueflow: ") :]
    assert words in told
    assert "valueflow lm-eval ls tasks" in told


def test_what_breaks_within_the_harness_keeps_its_traceback(valueflow, monkeypatch):
    pytest.importorskip("lm_eval")
    from lm_eval._cli.harness import HarnessCLI

    def broken(*_: Any) -> None:
        raise ValueError("deep inside")

    monkeypatch.setattr(HarnessCLI, "execute", broken)
    with pytest.raises(ValueError, match=r"^deep inside$"):
        valueflow("lm-eval", "--tasks", "valueflow_profile")


@pytest.mark.parametrize("more", [[], ["--use_cache", "CACHE"]])
def test_what_breaks_after_generation_is_no_mistake_of_the_user(
    valueflow, quick, monkeypatch, tmp_path, more
):
    tasks = pytest.importorskip("lm_eval.tasks")
    from valueflow_tasks.lm_eval_tasks import ControlLM

    monkeypatch.setattr(tasks, "TaskManager", partial(tasks.TaskManager, include_defaults=False))
    monkeypatch.setattr(ControlLM, "generate_until", lambda *_: [])
    more = [str(tmp_path / "cache") if one == "CACHE" else one for one in more]
    with pytest.raises(ValueError, match=r"^zip\(\) argument 2 is (longer|shorter)"):
        valueflow(
            "lm-eval", "--model", "valueflow-control", "--tasks", "valueflow_steer_svt_power",
            "--limit", "1", "--metadata", *(f"{name}={one}" for name, one in quick.items()), *more,
        )  # fmt: skip


def test_a_chat_template_that_is_not_there_is_one_line(valueflow, monkeypatch):
    pytest.importorskip("lm_eval")
    from lm_eval._cli.harness import HarnessCLI
    from lm_eval.api.model import TemplateLM

    model = SimpleNamespace(tokenizer=SimpleNamespace(chat_template={"plain": "", "tools": ""}))
    monkeypatch.setattr(HarnessCLI, "execute", lambda *_: TemplateLM.chat_template(model, "tool"))
    found = valueflow("lm-eval", "--tasks", "valueflow_profile")
    assert found.code == 2
    assert "valueflow: lm-eval says: The specified chat template 'tool' is not" in found.err


def test_a_model_that_cannot_be_made_has_no_answers_to_keep(valueflow, monkeypatch):
    tasks = pytest.importorskip("lm_eval.tasks")
    from valueflow_tasks.lm_eval_tasks import ControlLM

    def missing(*_: Any, **__: Any) -> None:
        raise OSError("gpt3 is not a local folder")

    monkeypatch.setattr(tasks, "TaskManager", partial(tasks.TaskManager, include_defaults=False))
    monkeypatch.setattr(ControlLM, "__init__", missing)
    found = valueflow(
        "lm-eval", "--model", "valueflow-control", "--tasks", "valueflow_steer_svt_power"
    )
    assert found.code == 1
    assert found.err.endswith("valueflow: gpt3 is not a local folder\n")


@pytest.mark.slow
def test_the_harness_s_own_command_line_runs_the_tasks_and_writes_samples(tmp_path):
    pytest.importorskip("lm_eval")
    profile = tmp_path / "profile.json"
    JudgeProfile("simulated:noise=1:text=0", tau=1.0, omegas=(0.1,), calibrated=True).save(profile)
    program = "import sys; from valueflow_tasks.cli import main; sys.argv[0] = 'valueflow'; main()"
    command = [
        sys.executable, "-c", program, "lm-eval", "--model", "valueflow-control",
        "--model_args", "mode=oracle", "--tasks", "valueflow_steer_svt_power", "--limit", "2",
        "--metadata", "judge=simulated:noise=1", f"profile={profile}",
        "--output_path", str(tmp_path / "out"), "--log_samples",
    ]  # fmt: skip
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    for name in ("steerability", "tracking", "gain", "refusal"):
        assert name in ended.stdout
    (results,) = (tmp_path / "out").rglob("results_*.json")
    found = json.loads(results.read_text("utf-8"), parse_constant=pytest.fail)
    assert found["results"]["valueflow_steer_svt_power"]["tracking,valueflow"] > 0.8
    (samples,) = (tmp_path / "out").rglob("samples_*.jsonl")
    lines = [json.loads(line) for line in samples.read_text("utf-8").splitlines()]
    assert len(lines) == 2
    for line in lines:
        texts = [text for (text,) in line["resps"]]
        assert all(len(text.split()) > 10 for text in texts)
        estimates = [json.loads(one)["estimates"]["svt/power"] for one in line["filtered_resps"]]
        assert len(estimates) == 5
        assert all(-10 <= one["intensity"] <= 10 for one in estimates)
