"""`valueflow judge calibrate`, `valueflow journal stats`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from valueflow_scorers import ValueFlowError

from . import JOURNALLED, cli, keeping
from ._output import check_folder

if TYPE_CHECKING:
    from valueflow_scorers._judge_report import JudgeReport

_WRITTEN = (
    "what was written before it is kept; what a model said is in its journal, if it has one, and "
    "is not asked for again by the same command"
)


@cli.group()
def judge() -> None:
    """Judges: how good are they?"""


@judge.command()
@click.option("--judge", "name", required=True, help="Judge name.")
@click.option("--values", default="", help="Values or theories to calibrate on; all by default.")
@click.option("--k", default=6, show_default=True, help="Items per window.")
@click.option("--windows", default=0, help="Calibration windows; 0: 60 per panel, 640 at least.")
@click.option("--seed", default=0, show_default=True, help="Of all windows.")
@click.option(
    "--layout",
    default="shuffled",
    show_default=True,
    help="Of windows: shuffled, or response-last; a profile is good for one.",
)
@click.option(
    "--journal",
    default="auto",
    show_default=True,
    help="Folder of a model judge's judgements, auto or none.",
)
@click.option(
    "-o",
    "--output",
    default=None,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for profile.json, report.json and reliability.png.",
)
def calibrate(
    name: str,
    values: str,
    k: int,
    windows: int,
    seed: int,
    layout: str,
    journal: str,
    output: Path | None,
) -> None:
    """Measure a judge's errors and check it on the sentinels.

    The profile of a calibration on all panels, from 640 windows or more, is filed: profile=auto
    finds it from then on. Any other goes into --output alone.
    """
    from valueflow_scorers import load_panel
    from valueflow_scorers._calibrate import (
        CALIBRATION_WINDOWS,
        enough_windows,
        stored_profile_path,
    )
    from valueflow_scorers._judge_report import judge_report
    from valueflow_scorers.judges import resolve_judge

    from ..settings import measurable_values, parse_list
    from ..theories import resolve_values

    measurable = measurable_values()
    wanted = resolve_values(parse_list(values), measurable) or measurable
    panels = [load_panel(value) for value in wanted]
    resolved = resolve_judge(name, panels, journal=journal)
    count = windows or enough_windows(len(panels))
    known = resolved.name.startswith(("embedded", "simulated"))
    filed = None
    if not known and set(wanted) == set(measurable) and count >= CALIBRATION_WINDOWS:
        filed = stored_profile_path(resolved.name, resolved.prompt_version, k, layout)
        check_folder(filed.parent, "VALUEFLOW_PROFILES")
    if output is not None:
        from ..judge_plot import plot_reliability
        from ..plots import pyplot

        check_folder(output)
        pyplot()  # refuses if there is none
    console = Console(stderr=True)
    with keeping(JOURNALLED):
        with console.status(f"calibrating {resolved.name} on {len(panels)} panels"):
            report = judge_report(resolved, panels, k=k, windows=count, seed=seed, layout=layout)
        Console().print(report_table(report))
        if filed is not None:
            filed.parent.mkdir(parents=True, exist_ok=True)
            report.profile.save(filed)
    if filed is not None:
        click.echo(f"profile {report.profile.fingerprint} filed: profile=auto finds it from now on")
    elif not known:
        click.echo(
            f"profile {report.profile.fingerprint} not filed, since profile=auto means all "
            f"{len(measurable)} panels and {CALIBRATION_WINDOWS} windows or more: keep it with "
            "-o DIR, and measure with profile=DIR/profile.json"
        )
    if output is not None:
        with keeping(_WRITTEN if filed is None else "the profile is filed"):
            output.mkdir(parents=True, exist_ok=True)
            report.profile.save(output / "profile.json")
            text = json.dumps(report.to_dict(), indent=1) + "\n"
            (output / "report.json").write_text(text, "utf-8")
            plot_reliability(report, output / "reliability.png")
        click.echo(f"wrote profile.json, report.json, reliability.png to {output}")


def report_table(report: JudgeReport) -> Table:
    """The report as people read it."""
    table = Table(title=f"{report.profile.judge}: profile {report.profile.fingerprint}")
    table.add_column("measure")
    table.add_column("value", justify="right")
    rows: list[tuple[str, object]] = [
        ("tau: noise per window, points", report.profile.tau),
        ("omega: persistent misreading, points", report.profile.omega),
        ("largest slot bias, points", max(map(abs, report.profile.slot_bias), default=None)),
        ("repeat agreement (Krippendorff alpha)", report.repeat_agreement),
        ("Kendall tau of windows with labels", report.window_kendall),
        ("pairs in the labels' order", report.pairwise_agreement),
        ("sign flips between repeats", report.sign_flips),
    ]
    for check in report.sentinels:
        at = f"sentinels, m={check.m}"
        rows += [
            (f"{at}: sign accuracy", check.sign_accuracy),
            (f"{at}: mean absolute deviation", check.mean_absolute_deviation),
            (f"{at}: RMSE", check.rmse),
            (f"{at}: Spearman", check.spearman),
            (f"{at}: coverage of 90 % intervals", check.coverage),
        ]
    rows += [
        (f"noise {name}, observed / expected", x) for name, x in report.noise_by_region.items()
    ]
    rows += [("failure rate", report.failure_rate)]
    rows += [(f"failures: {reason}", count) for reason, count in report.failures.items()]
    rows += [("windows judged", report.calls)]
    if report.tokens_per_call is not None:
        rows += [
            ("input tokens per call", report.tokens_per_call[0]),
            ("output tokens per call", report.tokens_per_call[1]),
            ("dollars per 1,000 responses", report.dollars_per_1000),
        ]
    for label, value in rows:
        shown = "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
        table.add_row(label, shown)
    return table


@cli.group()
def journal() -> None:
    """Journals: judgements that are never paid for twice."""


@journal.command()
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
def stats(folder: Path | None) -> None:
    """Say what the journal in FOLDER holds (the user's own by default)."""
    from valueflow_scorers._journal import Journal, default_folder

    folder = folder or default_folder()
    if not folder.exists():
        raise ValueFlowError(f"no journal in {folder}: give the folder of one")
    found = Journal(folder)
    table = Table(title=str(found.folder))
    for heading in ("judge", "prompt", "judgements"):
        table.add_column(heading)
    for (name, prompt), count in sorted(found.stats.judges.items()):
        table.add_row(name, prompt, str(count))
    Console().print(table)
    numbers = found.stats
    click.echo(
        f"{numbers.judgements} judgements in {numbers.files} files; "
        f"{numbers.skipped} lines skipped (cut short); failures: {dict(numbers.failures) or 'none'}"
    )
