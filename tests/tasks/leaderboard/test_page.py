"""The page: what is on it, and what is refused."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from click.testing import CliRunner
from valueflow_scorers import ValueFlowError

from valueflow_tasks.cli import (
    _submit,  # noqa: F401  adds the commands
    cli,
)
from valueflow_tasks.leaderboard import load_entries, write_page
from valueflow_tasks.settings import RESULTS_VERSION

Copy = Callable[[Path], Path]


class Tags(HTMLParser):
    """All tags, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag == name]


@pytest.fixture(scope="module")
def page(submissions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of all models."""
    return write_page(submissions, tmp_path_factory.mktemp("site"))


def test_systems_stand_in_the_order_of_their_numbers(page: Path) -> None:
    text = page.read_text("utf-8")
    first = text[text.index("<tbody>") : text.index("</tbody>")]
    names = re.findall(r"steerable/(\w+)", first)
    shown = re.findall(r"<td>([+−]?[\d.]+)</td>", first)
    numbers = [float(one.replace("−", "-")) for one in shown]
    assert sorted(names) == ["deaf", "eager", "half"]
    assert names[-1] == "deaf"
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[-1] == pytest.approx(0, abs=0.01)
    places = re.findall(r'class="text rank">([^<]+)<', first)
    assert places[0].startswith("1")
    assert places[-1].endswith("3")


def test_what_people_wrote_stays_text(page: Path) -> None:
    text = page.read_text("utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_page_needs_nothing_else_and_is_accessible(page: Path) -> None:
    tags = Tags(page.read_text("utf-8"))
    addresses = [own.get(key) or "" for _, own in tags.found for key in ("src", "href")]
    assert [one for one in addresses if one and not one.startswith("#")] == []
    assert tags.named("html") == [{"lang": "en"}]
    assert [own.get("name") for own in tags.named("meta")][1] == "viewport"
    assert len(tags.named("caption")) == len(tags.named("table")) == 5
    assert all(own.get("scope") in ("row", "col") for own in tags.named("th"))
    assert tags.named("a")[0] == {"class": "skip", "href": "#main"}
    assert "prefers-color-scheme: dark" in page.read_text("utf-8")


@pytest.mark.parametrize("width", [375, 1280])
def test_page_fits_a_phone(page: Path, width: int, tmp_path: Path) -> None:
    chromium = which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    # Headless windows have a least width; a frame has not. Scripts run in the frame's parent only.
    host = tmp_path / "host.html"
    text = page.read_text("utf-8").replace("&", "&amp;").replace('"', "&quot;")
    host.write_text(
        f'<iframe srcdoc="{text}" style="width:{width}px;height:800px;border:0"></iframe>'
        "<script>onload = () => { const d = document.querySelector('iframe').contentDocument;"
        "document.title = d.documentElement.scrollWidth + ' ' + d.documentElement.clientWidth;"
        "}</script>",
        "utf-8",
    )
    done = subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
         "--virtual-time-budget=2000",
         f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", host.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    found = re.search(r"<title>(\d+) (\d+)</title>", done.stdout)
    assert found is not None, done.stdout[:500]
    assert int(found[1]) <= int(found[2]) == width


def test_a_draft_is_refused(submissions: Path, copied: Copy, submit_model: Any) -> None:
    folder = copied(submissions)
    submit_model("eager", folder / "simulated", judge="simulated:noise=1")
    with pytest.raises(ValueFlowError, match=r"simulated is a draft .*panels' labels.*take it out"):
        load_entries(folder)


def test_a_control_model_is_refused(tmp_path: Path) -> None:
    from inspect_ai import eval as inspect_eval

    from valueflow_tasks.inspect_tasks import valueflow_steer
    from valueflow_tasks.submit import write_submission

    task = valueflow_steer(values=["mft/care"], queries="core")
    logs = str(tmp_path / "logs")
    inspect_eval(task, model="valueflow/control", log_dir=logs, display="none")
    write_submission(logs, tmp_path / "all" / "control", ["every-eval-ever"])
    with pytest.raises(ValueFlowError, match="valueflow-control-oracle is a control model"):
        load_entries(tmp_path / "all")


def test_protocols_are_not_mixed(submissions: Path, copied: Copy, submit_model: Any) -> None:
    folder = copied(submissions)
    submit_model("half", folder / "fewer", values=["mft/care"])
    with pytest.raises(
        ValueFlowError, match=r"(?=.*different protocols)(?=.*values: 1)(?=.*values: 2)"
    ):
        load_entries(folder)


def test_the_same_system_twice_is_refused(submissions: Path, copied: Copy) -> None:
    import shutil

    folder = copied(submissions)
    shutil.copytree(folder / "half", folder / "half-again")
    with pytest.raises(ValueFlowError, match="both submit steerable/half by definition: keep one"):
        load_entries(folder)


def test_a_wrong_number_is_refused(submissions: Path, copied: Copy) -> None:
    folder = copied(submissions)
    path = folder / "deaf" / "submission.json"
    record = json.loads(path.read_text("utf-8"))
    record["systems"][0]["scores"][0]["value"] = 0.99
    path.write_text(json.dumps(record), "utf-8")
    with pytest.raises(ValueFlowError, match=r"deaf is not what its samples say .*0\.99"):
        load_entries(folder)


def test_another_task_version_is_refused_in_one_sentence(submissions: Path, copied: Copy) -> None:
    folder = copied(submissions)
    (path,) = (folder / "deaf" / "samples").glob("*.jsonl")
    text = path.read_text("utf-8")
    path.write_text(text.replace(f'"task_version": "{RESULTS_VERSION}', '"task_version": "1', 1))
    with pytest.raises(
        ValueFlowError,
        match=rf"deaf cannot be ranked: \S+ was made by task version 1; this package computes "
        rf"version {RESULTS_VERSION}: run it again, then submit again$",
    ):
        load_entries(folder)


def test_command_line(submissions: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["leaderboard", str(submissions), "-o", str(tmp_path / "site")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "site" / "index.html").is_file()


def test_an_empty_folder_says_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(ValueFlowError, match=r"no submission in .*valueflow submit"):
        load_entries(tmp_path)
