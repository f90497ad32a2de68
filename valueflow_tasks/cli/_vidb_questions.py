"""`valueflow vidb …`, the part that asks questions, and publishing."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from valueflow_scorers import ValueFlowError

from . import JOURNALLED, keeping
from ._vidb import COUNT, FILE, FOLDER, OUT, keep_apart, vidb


@vidb.command()
@click.argument("database", type=FILE)
@click.option("--asker", "askers", multiple=True, help="A model that judges; may be repeated.")
@click.option("-o", "--output", required=True, type=OUT, help="Verdicts, or the merged database.")
@click.option("--corrections", type=FILE, help='People\'s scores, lines of {"id", "intensity"}.')
@click.option("--weight", default=0.5, show_default=True, type=click.FloatRange(0, 1),
              help="People's share in merged scores.")  # fmt: skip
@click.option("--journal", default="auto", show_default=True)
@keeping(JOURNALLED)
def check(
    database: Path,
    askers: tuple[str, ...],
    output: Path,
    corrections: Path | None,
    weight: float,
    journal: str,
) -> None:
    """Have the scores of a DATABASE judged plausible or weird, or merge people's corrections."""
    from ..vidb import _plausible
    from ..vidb._asker import resolve_asker
    from ..vidb._fitted import Database
    from ..vidb._texts import write_lines

    if corrections is not None and askers:
        raise ValueFlowError(
            "give --asker to have scores judged, or --corrections to merge, not both"
        )
    keep_apart(output, database, *([corrections] if corrections else []))
    found = Database.load(database)
    if corrections is not None:
        people = _plausible.read_corrections(corrections)
        _plausible.merge(found, people, weight).save(output)
        click.echo(f"{output}: {len(people)} scores moved toward people's, weight {weight:g}")
        return
    opened = [resolve_asker(name, journal) for name in askers]
    verdicts = _plausible.judge_plausibility(found, opened)
    write_lines(output, [one.to_dict() for one in verdicts])
    flagged = sum(one.flags >= _plausible.FLAGS for one in verdicts)
    silent = sum(vote == "no answer" for one in verdicts for vote in one.votes.values())
    click.echo(f"{output}: {flagged} of {len(verdicts)} scores go to a person; {silent} no answers")


@vidb.command()
@click.argument("database", type=FILE)
@click.argument("judgements", nargs=-1, type=FILE)
@click.option("-o", "--output", required=True, type=FOLDER, help="Folder for a dataset hub.")
@click.option("--redistribute", is_flag=True,
              help="State that you may pass loaded texts on.")  # fmt: skip
def publish(database: Path, judgements: tuple[Path, ...], output: Path, redistribute: bool) -> None:
    """Write DATABASE and the JUDGEMENTS behind it as a folder that a dataset hub takes."""
    from ..vidb._fitted import Database
    from ..vidb._publish import publish as write

    found = Database.load(database)
    for path in write(found, judgements, output, redistribute=redistribute):
        click.echo(path)


@vidb.command()
@click.argument("texts", type=FILE)
@click.option("--theory", required=True, help="svt, mft, duties or rights.")
@click.option(
    "--asker", "askers", multiple=True, required=True, help="A voter; seven in the paper."
)
@click.option("-o", "--output", required=True, type=OUT)
@click.option("--journal", default="auto", show_default=True)
@keeping(JOURNALLED)
def label(texts: Path, theory: str, askers: tuple[str, ...], output: Path, journal: str) -> None:
    """Vote TEXTS down a theory's hierarchy: path from root to leaf, and direction."""
    from collections import Counter

    from ..theories import load_theory
    from ..vidb._asker import resolve_asker
    from ..vidb._label import label as vote
    from ..vidb._texts import read_texts, write_lines

    keep_apart(output, texts)
    read = read_texts(texts)
    click.echo(f"{texts}: {read.summary()}")
    opened = [resolve_asker(name, journal) for name in askers]
    found = vote(read.texts, load_theory(theory), opened)
    write_lines(output, [one.to_dict() for one in found])
    counts = Counter(one.status for one in found)
    click.echo(f"{output}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))


@vidb.command()
@click.argument("panels", nargs=-1, required=True)
@click.option("--asker", required=True, help="simulated:noise=1:truth=FILE, or an Inspect model.")
@click.option("--questions", default=600, show_default=True, type=COUNT, help="Per panel.")
@click.option("--journal", default="auto", show_default=True)
@keeping(JOURNALLED)
def steps(panels: tuple[str, ...], asker: str, questions: int, journal: str) -> None:
    """How far PANELS (values or files) are from equal steps, by comparing gaps."""
    from valueflow_scorers import load_panel

    from ..vidb._asker import resolve_asker
    from ..vidb._gaps import measure_steps

    table = Table(title="rulers against equal steps")
    for heading in ("value", "departure (points)", "noise", "answered"):
        table.add_column(heading)
    for name in panels:
        found = measure_steps(load_panel(name), resolve_asker(asker, journal), questions)
        table.add_row(name, f"{found.departure:.2f}", f"{found.noise:.2f}", str(found.answered))
    Console().print(table)


@vidb.command()
@click.argument("panels", nargs=-1, required=True)
@click.option("--asker", required=True, help="simulated:noise=1:truth=FILE, or an Inspect model.")
@click.option("--questions", default=400, show_default=True, type=COUNT,
              help="Per panel beyond the first.")  # fmt: skip
@click.option("-o", "--output", required=True, type=OUT, help="Factors with their errors, JSON.")
@click.option("--journal", default="auto", show_default=True)
@keeping(JOURNALLED)
def link(panels: tuple[str, ...], asker: str, questions: int, output: Path, journal: str) -> None:
    """Link the units of PANELS by asking which text expresses its own value more strongly."""
    from valueflow_scorers import load_panel

    from ..vidb._asker import resolve_asker
    from ..vidb._gaps import measure_links
    from ..vidb._links import write_links

    opened = [load_panel(name) for name in panels]
    found = measure_links(opened, resolve_asker(asker, journal), questions)
    for value, row in write_links(output, found, opened).items():
        click.echo(f"{value}: × {row['factor']:.3f} ± {row['stderr']:.3f}")
