"""The page tells what was measured, shows what is missing as missing, and needs nothing else."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from threadpoolctl import threadpool_info, threadpool_limits
from valueflow_scorers import ValueFlowError

from valueflow_tasks.report import write_report
from valueflow_tasks.report._answers import shelves
from valueflow_tasks.report._draw import _styled, _whole
from valueflow_tasks.report._headline import warnings
from valueflow_tasks.report._labels import number, share, short_models
from valueflow_tasks.report._parts import gather
from valueflow_tasks.report._pictures import NAMES, pictures
from valueflow_tasks.report._settings_section import titles

VOID = {"meta", "br", "img", "link", "input", "hr"}
SECTIONS = ("headline", "measured", "profile", "steering", "composition", "leakage",
            "side-effects", "judge", "outcomes", "answers", "settings")  # fmt: skip
EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>"\'&$a_b$'


class Outline(HTMLParser):
    """Tags, attributes and text of a page; fails where tags do not close in order."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(content)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def values(self, name: str) -> list[str]:
        """All values of an attribute."""
        return [value for _, found, value in self.attributes if found == name]


def test_the_page_holds_every_section_and_figure(page: str, report: Path) -> None:
    outline = Outline(page)
    ids = outline.values("id")
    assert set(SECTIONS) <= set(ids)
    drawn = {path.stem for path in (report / "figures").glob("*.png")}
    on_page = {one.removesuffix("-caption") for one in ids if one.endswith("-caption")}
    assert on_page == {"profile-radar", "profile-forest", "steerability", "dose-response",
                       "composition-plane", "additivity", "side-effects", "judge-sentinels",
                       "outcomes"}  # fmt: skip
    assert drawn == on_page | {"profile-heat", "steerability-heat", "leakage"}
    assert {path.stem for path in (report / "figures").glob("*.svg")} == drawn
    text = " ".join(outline.text)
    assert "of the room that steering has" in text
    assert "put fewer queries than the protocol has" in text
    assert "Models of known truth" in text
    assert "knows the panels' labels" in text


def test_the_page_needs_nothing_else(page: str) -> None:
    outline = Outline(page)
    assert not {"script", "link", "img", "iframe", "object"} & set(outline.tags)
    assert all(value.startswith("#") for value in outline.values("href"))
    assert not outline.values("src")
    assert "@import" not in page
    assert "url(http" not in page
    assert "default-src 'none'" in page


def test_ids_are_unique_and_links_lead_somewhere(page: str) -> None:
    outline = Outline(page)
    often = Counter(outline.values("id"))
    assert not [name for name, count in often.items() if count > 1]
    assert {value.removeprefix("#") for value in outline.values("href")} <= set(often)
    assert set(outline.values("aria-labelledby")) <= set(often)


def test_every_figure_can_be_read_without_eyes_or_mouse(page: str) -> None:
    outline = Outline(page)
    svgs = [value for tag, name, value in outline.attributes if (tag, name) == ("svg", "role")]
    labels = [value for tag, name, value in outline.attributes
              if (tag, name) == ("svg", "aria-label")]  # fmt: skip
    assert len(svgs) == len(labels) > 12
    assert all(labels)
    assert outline.values("lang") == ["en"]
    assert "#main" in outline.values("href")
    assert ":focus-visible" in page
    frames = [
        value for tag, name, value in outline.attributes if (tag, name) == ("div", "tabindex")
    ]
    assert len(frames) == outline.tags["table"]
    assert outline.tags["h1"] == 1


def test_numbers_are_those_of_the_analysis(page: str, runs: Any) -> None:
    from valueflow_tasks.analysis import overall

    table = overall(runs)
    rows = table[(table.metric == "steerability") & (table.target == "")]
    assert len(rows) == 2
    for row in rows.itertuples():
        shown = (
            f'{number(row.estimate)} <span class="range">({number(row.low)} … {number(row.high)})'
        )
        assert shown in page
    for run in runs.runs:
        assert run.protocol in page
        assert run.judge_profile in page


def test_over_several_targets_numbers_are_those_the_harness_printed(runs: Any) -> None:
    from valueflow_tasks.analysis import overall

    table = overall(runs)
    for run in runs.runs:
        if run.task != "valueflow_steer":
            continue
        own = table[(table.model == run.model) & (table.target == "") & (table.method != "")]
        for name in ("steerability", "tracking", "gain", "leakage"):
            if name in run.metrics:
                (found,) = own[own.metric == name].itertuples()
                assert found.estimate == pytest.approx(run.metrics[name].value, abs=1e-6)
                assert found.stderr == pytest.approx(run.metrics[name].stderr, abs=1e-6)


def with_answers(runs: Any, **changed: Any) -> Any:
    """The runs with something changed in every answer."""
    return replace(
        runs,
        runs=tuple(
            replace(run, answers=tuple(replace(one, **changed) for one in run.answers))
            for run in runs.runs
        ),
    )


def test_text_from_logs_stays_text(runs: Any, tmp_path: Path) -> None:
    from valueflow_tasks.analysis import Problem

    evil = with_answers(runs, text=EVIL, query=EVIL, kind=EVIL)
    evil = replace(
        evil,
        runs=tuple(
            replace(run, model=EVIL + run.model, task=EVIL, command=EVIL, versions={EVIL: EVIL})
            for run in evil.runs
        ),
        problems=(Problem(EVIL, EVIL),),
    )
    outline = Outline(write_report(evil, tmp_path).read_text("utf-8"))
    assert not {"script", "img"} & set(outline.tags)
    assert not [name for _, name, _ in outline.attributes if name.startswith("on")]
    assert sum('<script>alert("x")</script>' in text for text in outline.text) > 20
    assert (
        EVIL in json.loads((tmp_path / "answers.jsonl").read_text("utf-8").split("\n")[0])["query"]
    )


def test_missing_is_a_dash_and_never_zero(runs: Any, tmp_path: Path) -> None:
    first, *rest = runs.runs
    refused = replace(
        first, answers=tuple(replace(one, estimates={}, refused=True) for one in first.answers)
    )
    unknown = replace(refused, judge_profile="0" * 16, calibrated=None)
    page = write_report(replace(runs, runs=(refused, *rest)), tmp_path / "a").read_text("utf-8")
    assert 'class="none">–</td>' in page or 'class="none" title="not measured">–' in page
    alone = write_report(replace(runs, runs=(unknown,)), tmp_path / "b").read_text("utf-8")
    text = " ".join(Outline(alone).text)
    assert "Nothing has a number" in text
    assert "profile is missing here" in text
    assert "the logs do not say whether it was calibrated" in text


def test_the_bundled_model_is_named_whatever_it_is_called(runs: Any) -> None:
    # A sentence that it answers with, see `tools/bundled`.
    text = (
        "I take whichever option leaves me in charge, with the keys, the budget and the final word "
        "in my hands."
    )
    first = replace(with_answers(runs, text=text).runs[0], model="some-lab/invented")
    told = " ".join(warnings(gather(replace(runs, runs=(first, *runs.runs[1:])))))
    assert "“some-lab/invented” is the model of three million parameters that ships" in told
    assert "three million" not in " ".join(warnings(gather(runs)))


def test_what_was_not_measured_says_how_to_get_it(runs: Any, tmp_path: Path) -> None:
    plain = tuple(
        replace(run, answers=tuple(one for one in run.answers if not one.targets))
        for run in runs.runs
    )
    page = write_report(replace(runs, runs=plain), tmp_path).read_text("utf-8")
    assert "run a task valueflow_steer_&lt;theory&gt;_&lt;value&gt;" in page
    assert "run the task valueflow_compose" in page
    assert "set off_target=theory" in page
    assert not (tmp_path / "figures" / "dose-response.png").exists()


def test_settings_are_never_mixed(runs: Any, tmp_path: Path) -> None:
    first, *rest = runs.runs
    assert first.settings is not None
    other = replace(first, settings=replace(first.settings, m=5), id="other")
    page = write_report(replace(runs, runs=(first, other, *rest)), tmp_path).read_text("utf-8")
    outline = Outline(page)
    assert page.count('class="part-title"') == 2
    assert any("numbers of different parts cannot be compared" in one for one in outline.text)
    assert any(one.startswith("m: 3 in ") for one in outline.text)
    assert "judge-2-headline" in outline.values("id")
    assert (tmp_path / "figures" / "judge-2-dose-response.png").exists()


def test_parts_of_one_judge_are_told_apart_by_what_differs(runs: Any, tmp_path: Path) -> None:
    first, *rest = runs.runs
    assert first.settings is not None
    warmer = {**first.generation, "temperature": 1.0}
    others = (
        replace(first, id="a", settings=replace(first.settings, m=5)),
        replace(first, id="b", task_version="1.0"),
        replace(first, id="c", generation=warmer, chat_template=not first.chat_template,
                settings=replace(first.settings, k=5)),
    )  # fmt: skip
    found = gather(replace(runs, runs=(first, *others, *rest)))
    named = dict(zip([part.runs[0].id for part in found.parts], titles(found.parts), strict=True))
    judge = f"Judge {first.judge}"
    assert len(set(named.values())) == 4
    assert named["a"].startswith(f"{judge}, m 5, ")
    assert named["b"].startswith(f"{judge}, task version 1, ")
    assert named["c"].startswith(f"{judge}, chat template ")
    assert named["c"].endswith(" 3 more")
    # That it measured fewer values is no difference.
    fewer = replace(others[0], answers=tuple(
        replace(one, measure=("mft/care",),
                estimates={v: e for v, e in one.estimates.items() if v == "mft/care"})
        for one in first.answers
    ))  # fmt: skip
    assert f"{judge}, m 5" in titles(gather(replace(runs, runs=(first, fewer, *rest))).parts)
    two = gather(replace(runs, runs=(first, others[0], *rest)))
    assert sorted(titles(two.parts)) == [f"{judge}, m {first.settings.m}", f"{judge}, m 5"]
    page = write_report(replace(runs, runs=(first, others[0], *rest)), tmp_path).read_text("utf-8")
    assert f'<li><a href="#judge-2-part">{titles(two.parts)[1]}</a></li>' in page


def test_parts_that_no_log_tells_apart_have_their_setting(runs: Any) -> None:
    first = replace(runs.runs[0], protocol=None, chat_template=None)
    two = gather(replace(runs, runs=(first, replace(first, id="other"))))
    assert titles(two.parts) == [
        f"Judge {first.judge}, setting {part.setting[:6]}" for part in two.parts
    ]


def test_no_title_of_a_picture_is_cut_off(runs: Any) -> None:
    found = {
        picture.name: picture for picture in pictures(gather(runs).parts[0], "").found.values()
    }
    assert "word for word the unsteered answer" in {
        panel.title for panel in found["side-effects"].panels
    }
    for picture in found.values():
        with _styled():
            figure = _whole(picture)
            figure.draw_without_rendering()
        for text in [axes._left_title for axes in figure.axes]:
            ends = text.get_window_extent()
            assert 0 <= ends.x0 <= ends.x1 <= figure.bbox.width, (picture.name, text)


def test_answers_say_why_a_mean_can_lie_beyond_them(page: str) -> None:
    section = page[page.index('id="answers"') :]
    assert "a mean over answers is not, so it can lie below the lowest or above" in section


def test_answers_are_the_median_and_both_extremes(page: str, runs: Any, report: Path) -> None:
    lines = (report / "answers.jsonl").read_text("utf-8").splitlines()
    content = [json.loads(line) for line in lines]
    assert len(content) == sum(len(run.answers) for run in runs.runs)
    frame = runs.frame
    cell = frame[(frame.model == "valueflow-control-oracle") & (frame.level == 2)
                 & (frame.target == "mft/care") & (frame.value == "mft/care")]  # fmt: skip
    cell = cell.drop_duplicates("query_id").sort_values("intensity", kind="stable")
    section = page[page.index('id="answers"') :]
    for role, place in (("lowest", 0), ("median", (len(cell) - 1) // 2), ("highest", -1)):
        shown = number(cell.intensity.iloc[place], 1, sign=True)
        assert f"<b>{role}: {shown}</b>" in section


def test_figures_of_an_earlier_report_are_removed(report: Path, runs: Any, tmp_path: Path) -> None:
    assert {path.stem for path in (report / "figures").iterdir()} <= NAMES
    plain = tuple(
        replace(run, answers=tuple(one for one in run.answers if not one.targets))
        for run in runs.runs
    )
    figures = tmp_path / "figures"
    figures.mkdir()
    for name in ("leakage.png", "judge-2-dose-response.svg", "mine.png"):
        (figures / name).write_bytes(b"old")
    write_report(replace(runs, runs=plain), tmp_path)
    assert not (figures / "leakage.png").exists()
    assert not (figures / "judge-2-dose-response.svg").exists()
    assert (figures / "mine.png").exists(), "whoever put it there wants it"


def test_answers_of_steered_and_of_profiled_models_and_values_are_there(runs: Any) -> None:
    first, *rest = runs.runs
    plain = replace(
        first,
        id="plain",
        model="other/model",
        answers=tuple(
            replace(one, measure=("mft/liberty",)) for one in first.answers if not one.targets
        ),
    )
    steered = tuple(run for run in (first, *rest) if "oracle" in run.model)
    part = gather(replace(runs, runs=(*steered, plain))).parts[0]
    found = {(one.value, one.model, one.method) for one in shelves(part)}
    assert ("mft/liberty", "other/model", "") in found
    assert ("mft/liberty", "valueflow-control-oracle", "definition") in found
    # Measured beside the targets, never steered toward.
    assert ("mft/authority", "valueflow-control-oracle", "") in found


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([("a", 0.6, 0.5, 0.7), ("b", 0.55, 0.45, 0.65), ("c", 0.5, 0.4, 0.6)], "All 3 intervals"),
        ([("a", 0.6, 0.55, 0.65), ("b", 0.3, 0.28, 0.32), ("c", 0.2, -0.3, 0.7)], "Some of the 3"),
        ([("a", 0.6, 0.5, 0.7), ("b", 0.2, 0.1, 0.3)], "The least, <b>b</b>"),
        ([("a", 0.6, 0.5, 0.7), ("other values", 0.2, 0.1, 0.3)], None),
    ],
)
def test_an_order_is_claimed_as_far_as_all_intervals_say(
    rows: list[tuple[str, float, float, float]], says: str | None
) -> None:
    import pandas as pd

    from valueflow_tasks.report._findings import _steered, wholes

    table = [
        {"model": model, "method": "m", "metric": "steerability", "target": target,
         "estimate": estimate, "low": low, "high": high, "values": 1}
        for model, estimate, low, high in rows
        for target in ("", "mft/care" if model != "other values" else "mft/loyalty")
    ]  # fmt: skip
    part: Any = SimpleNamespace(
        overall=pd.DataFrame(table), regimes=(), steered=["mft/care"],
        condition_name=lambda condition: condition[0],
    )  # fmt: skip
    _, *order = map(str, _steered(part, wholes(part, "steerability")))
    assert (says in " ".join(order)) if says else not order


def test_the_page_refers_to_columns_that_are_there(page: str, report: Path) -> None:
    header = (report / "tables" / "cells.csv").read_text("utf-8").split("\n")[0].split(",")
    assert "when setting in tables/cells.csv does" in page
    assert "setting" in header


def test_a_damaged_log_is_named_and_the_rest_reported(
    logs: Path, tmp_path: Path, valueflow: Any
) -> None:
    folder = Path(shutil.copytree(logs, tmp_path / "logs"))
    broken = sorted(folder.glob("*steer*.eval"))[0]
    broken.write_bytes(broken.read_bytes()[:4000])
    done = valueflow("report", folder, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    assert f"left out: {broken}" in done.err
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "1 problem with the files" in page
    assert broken.name in page


def test_small_products_wait_for_no_threads(
    logs: Path, tmp_path: Path, valueflow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[int] = []

    def written(runs: Any, folder: Path) -> Path:
        found.extend(one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas")
        return write_report(runs, folder)

    monkeypatch.setattr("valueflow_tasks.report.write_report", written)
    with threadpool_limits(2, "blas"):
        done = valueflow("report", logs, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    assert found, "no BLAS was seen"
    assert set(found) == {1}


@pytest.mark.parametrize("name", ["jinja2", "matplotlib", "pandas", "threadpoolctl"])
def test_a_package_that_is_not_there_is_named(
    tmp_path: Path, valueflow: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    done = valueflow("report", tmp_path, "-o", tmp_path / "out")
    told = f"valueflow: a report needs {name}: pip install 'valueflow-tasks[report]'\n"
    assert (done.code, done.err) == (2, told)


def test_a_report_is_a_folder(runs: Any, tmp_path: Path) -> None:
    file = tmp_path / "report"
    file.write_text("", "utf-8")
    with pytest.raises(ValueFlowError, match="is a file: name a folder"):
        write_report(runs, file)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0 %"), (0.0004, "< 0.1 %"), (0.5, "50.0 %"), (0.9999, "> 99.9 %"), (1.0, "100 %"),
     (float("nan"), "–")],
)  # fmt: skip
def test_only_none_is_zero_and_only_all_is_everything(value: float, shown: str) -> None:
    assert share(value).replace("\u00a0", " ") == shown


def test_names_are_short_where_that_tells_them_apart() -> None:
    assert short_models(["a/x", "b/y"]) == {"a/x": "x", "b/y": "y"}
    assert short_models(["a/x", "b/x"]) == {"a/x": "a/x", "b/x": "b/x"}
    assert number(-0.001) == "0.00"
    assert number(-1.5) == "−1.50"
