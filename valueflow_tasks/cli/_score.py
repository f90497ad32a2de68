"""`valueflow score`: measure answers that were made elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from . import RESUMES, cli, keeping

_SHOWN = 300  # characters of a judge's words


@cli.command()
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where estimates go, one JSON line per answer; an existing file is resumed.",
)
@click.option("--judge", default="embedded", show_default=True, help="Judge name.")
@click.option(
    "--value",
    default=None,
    help="Measure every line on this value: an id, or the folder of a value of your own.",
)
@click.option("--k", default=6, show_default=True, help="Items per window.")
@click.option("--m", default=3, show_default=True, help="Windows per answer.")
@click.option("--design", default="two-pass", show_default=True, help="Window design.")
@click.option("--seed", default=0, show_default=True, help="Of the windows.")
@click.option("--profile", default="auto", show_default=True, help="Judge profile: a path or auto.")
@click.option(
    "--journal",
    default="auto",
    show_default=True,
    help="Folder of a model judge's judgements, auto or none.",
)
@click.option("--compat", default=None, help="valueflow: the released evaluator.")
@click.option(
    "--target-stderr",
    type=float,
    default=None,
    help="Stop asking about an answer once its error is this small.",
)
@click.option(
    "--layout",
    default="shuffled",
    show_default=True,
    help="Of windows: shuffled, or response-last, which prefix caches make cheaper.",
)
@click.option("--links", default="", help="File of `valueflow vidb link`: units are linked.")
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Answers judged between two writes.",
)
@keeping(RESUMES)
def score(
    source: Path, output: Path, value: str | None, links: str, batch: int, **instrument: Any
) -> None:
    """Measure the answers in SOURCE, JSON lines of {"value", "response", "query"?, "id"?}.

    A line with a query is an answer: one that declines its query is counted as refused and not
    scored, as in the tasks. A line without a query is a text, and is scored whatever it says.
    Judges read the beginning of long texts; such lines are counted at the end and marked "cut".
    """
    from ..score import Scoring, summary_table

    scoring = Scoring(source, output, value=value, links=links, **instrument)
    if scoring.done < scoring.total:
        scoring.instrument.resolved.open()
    console = Console(stderr=True)
    columns = (TextColumn("judging"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("judging", total=scoring.total, completed=scoring.done)
        for count in scoring.run(batch):
            progress.advance(bar, count)
    Console().print(summary_table(scoring))
    if scoring.cut:
        note = scoring.instrument.resolved.cut_note(scoring.cut, scoring.total)
        click.echo(f"note: {note}", err=True)
    if not any("intensity" in entry for entry in scoring.written):
        click.echo(f"valueflow: no answer has a number; {_first_words(scoring.written)}", err=True)
        sys.exit(1)


def _first_words(entries: Sequence[Mapping[str, Any]]) -> str:
    """Why the first answer has no number, with what the judge itself said."""
    windows = [window for entry in entries for window in entry["windows"]]
    said = next((window["raw"] for window in windows if window.get("raw")), "")
    words = " ".join(said.split())[:_SHOWN]
    return f"the first: {entries[0]['reason']}" + (f"; the judge said: {words}" if words else "")
