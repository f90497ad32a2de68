"""`valueflow vidb …`: build, check, load and extend value-intensity databases."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from valueflow_scorers import ValueFlowError

from . import RESUMES, cli, keeping

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OUT = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
COUNT = click.IntRange(min=1)
SEED = click.IntRange(min=0)


def keep_apart(output: Path, *inputs: Path) -> None:
    """Refuse to write over what is read.

    Raises:
        ValueFlowError: naming the file.
    """
    if output.resolve() in (path.resolve() for path in inputs):
        raise ValueFlowError(f"{output} is read by this command: give another file with -o")


@cli.group()
def vidb() -> None:
    """Databases of texts with intensities: build, check, load, publish."""


@vidb.command()
@click.argument("texts", type=FILE)
@click.option("-o", "--output", required=True, type=OUT, help="Where the sample goes.")
@click.option("-n", "--count", type=COUNT, help="How many; all but duplicates by default.")
@click.option("--seed", default=0, show_default=True, type=SEED)
def sample(texts: Path, output: Path, count: int | None, seed: int) -> None:
    """Choose TEXTS to rank: no (near-)duplicates, directions and lengths in balance."""
    from ..vidb._sample import sample_texts
    from ..vidb._texts import read_texts, write_lines

    keep_apart(output, texts)
    read = read_texts(texts)
    click.echo(f"{texts}: {read.summary()}")
    chosen = sample_texts(read.texts, count, seed)
    write_lines(output, [text.to_dict() for text in chosen.texts])
    click.echo(
        f"{output}: {len(chosen.texts)} texts; left out {chosen.duplicates} (near-)duplicates "
        f"and {chosen.surplus} more than wanted"
    )


@vidb.command()
@click.argument("texts", type=FILE)
@click.option("--value", required=True, help="A value id, or the folder of a value of your own.")
@click.option("--judge", required=True, help="A judge that orders windows.")
@click.option("-o", "--output", required=True, type=OUT, help="Judgements; resumed if it exists.")
@click.option("--k", default=2, show_default=True, type=click.IntRange(2, 10),
              help="Texts per window.")  # fmt: skip
@click.option("--repeats", default=20, show_default=True, type=COUNT, help="Most windows per text.")
@click.option("--stderr", "target", type=float, help="Stop at this mean standard error, points.")
@click.option("--uniform", is_flag=True, help="Draw all windows uniformly.")
@click.option("--seed", default=0, show_default=True, type=SEED)
@click.option("--batch", default=512, show_default=True, type=COUNT,
              help="Windows between two writes, without --ray.")  # fmt: skip
@click.option("--journal", default="auto", show_default=True, help="Of a model's calls.")
@click.option("--ray", is_flag=True, help="Judge on Ray Data (extra `ray`); see docs/vidb.md.")
@click.option("--workers", default=2, show_default=True, type=COUNT,
              help="Judging actors, with --ray; their shards lie in OUTPUT.shards.")  # fmt: skip
@keeping(RESUMES)
def rank(
    texts: Path,
    value: str,
    judge: str,
    output: Path,
    k: int,
    repeats: int,
    target: float | None,
    uniform: bool,
    seed: int,
    batch: int,
    journal: str,
    ray: bool,
    workers: int,
) -> None:
    """Have windows of TEXTS put in order; the same command again resumes."""
    from ..vidb._rank import Ranking
    from ..vidb._rank_settings import RankSettings
    from ..vidb._texts import read_texts
    from ..vidb._values import described

    keep_apart(output, texts)
    execute = None
    if ray:
        from ..vidb._index import index_texts
        from ..vidb._ray import RayJudging

        execute = RayJudging(texts, output.with_name(output.name + ".shards"), workers)
    read = index_texts(texts) if ray else read_texts(texts)
    click.echo(f"{texts}: {read.summary()}")
    name, definition = described(value)
    settings = RankSettings(
        name, definition, judge, k, repeats, target, not uniform, seed, batch, journal
    )
    done = Ranking(read, output, settings).run(execute, click.echo)
    failed = f", {len(done.failures)} failed" if done.failures else ""
    click.echo(f"{output}: {len(done.orders)} windows judged{failed}")
    if missing := len(done.missing()):
        click.echo(f"{missing} calls failed: the same command again makes them")


@vidb.command("fit")
@click.argument("judgements", nargs=-1, required=True, type=FILE)
@click.option("--texts", "text_files", multiple=True, required=True, type=FILE,
              help="The texts that were ranked; may be repeated.")  # fmt: skip
@click.option("-o", "--output", required=True, type=OUT, help="The database.")
@click.option("--licence", default="", help="Terms under which the texts may be used.")
@click.option("--source", default="", help="Where texts and labels come from.")
@click.option("--drop-unreachable", is_flag=True, help="Leave out texts that nothing reaches.")
def fit_command(
    judgements: tuple[Path, ...],
    text_files: tuple[Path, ...],
    output: Path,
    licence: str,
    source: str,
    drop_unreachable: bool,
) -> None:
    """Turn JUDGEMENTS of one value into intensities with standard errors."""
    from ..vidb._fitted import build
    from ..vidb._judgements import JudgementFile, memory_needed
    from ..vidb._texts import merge_texts, read_texts

    keep_apart(output, *judgements, *text_files)
    needed = memory_needed(judgements, text_files)
    click.echo(f"reading and fitting need about {needed / 1e6:,.0f} MB of memory")
    texts = merge_texts([read_texts(path) for path in text_files])
    files = [JudgementFile.read(path) for path in judgements]
    database = build(texts, files, licence=licence, source=source,
                     drop_unreachable=drop_unreachable)  # fmt: skip
    database.save(output)
    Console().print(_judges_table(database.head["fit"]))
    facts = database.head["fit"]
    click.echo(
        f"{output}: {len(database.texts)} texts, mean stderr {facts['mean_stderr']:.2f} points, "
        f"population sd {facts['population_sd']:.2f}, {facts['cut']} cut at the ends"
    )


def _judges_table(facts: dict[str, dict[str, dict[str, object]]]) -> Table:
    table = Table(title="judges, in points")
    for heading in ("judge", "noise", "bias per slot"):
        table.add_column(heading)
    for name, own in facts["judges"].items():
        bias = own["slot_bias"]
        shown = " ".join(f"{one:+.2f}" for one in bias) if isinstance(bias, list) else ""
        table.add_row(name, f"{own['noise']:.2f}", shown)
    return table


@vidb.command()
@click.argument("database", type=FILE)
@click.option("-o", "--output", required=True, type=FOLDER,
              help="Folder of the panel; for a value of your own, its folder.")  # fmt: skip
@click.option("--anchors", default=24, show_default=True, type=click.IntRange(min=5))
def panel(database: Path, output: Path, anchors: int) -> None:
    """Choose a ruler from a DATABASE: evenly spread anchors, and sentinels."""
    from ..vidb._fitted import Database
    from ..vidb._ruler import choose_roles, write_panel

    found = Database.load(database)
    roles = choose_roles(found, anchors)
    path = write_panel(found, output, roles)
    count = sum(role == "anchor" for role in roles.values())
    click.echo(f"{path}: {count} anchors, {len(roles) - count} sentinels")


@vidb.command()
@click.argument("source")
@click.option("-o", "--output", required=True, type=FOLDER, help="Folder of panels.")
@click.option("--accept-license", is_flag=True, help="Accept the printed terms for that folder.")
@click.option("--commercial", is_flag=True, help="State a commercial use; refused where excluded.")
@click.option("--value", help="The value of all rows; a value id, or a folder of your own.")
@click.option("--licence", default="", help="Terms of a file that is not of the release.")
@click.option("--judge", help="Rank a sample anew: maps scores, finds wrong signs.")
@click.option("--sample", default=300, show_default=True, type=COUNT,
              help="Texts per value ranked anew.")  # fmt: skip
@keeping(RESUMES)
def load(
    source: str,
    output: Path,
    accept_license: bool,
    commercial: bool,
    value: str | None,
    licence: str,
    judge: str | None,
    sample: int,
) -> None:
    """Load other people's SOURCE as panels: a file, or a dataset on the hub."""
    from ..vidb import _load
    from ..vidb._sources import terms_of

    click.echo(terms_of(source, licence).text())
    loaded = _load.load(source, output, accept_license=accept_license, commercial=commercial,
                        value=value, licence=licence, judge=judge, sample=sample)  # fmt: skip
    for line in (*loaded.notes, *_load.remarks(loaded)):
        click.echo(line)
    click.echo(f"{output}: {len(loaded.panels)} panels, licence.json, check.json")
