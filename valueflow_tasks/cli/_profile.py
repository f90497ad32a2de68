"""`valueflow profile`: texts or model answers -> value profiles."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from . import JOURNALLED, cli, keeping

if TYPE_CHECKING:
    from ..profiles import ValueProfile

OUT = click.Path(dir_okay=False, path_type=Path)
_NAMED = 5
"""Profiles that a warning names."""
_VALUE_WIDTH, _SCORE_WIDTH = 35, 18
"""Columns of the terminal that a value's name and a profile's scores take."""


@cli.command("profile")
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--output", required=True, type=OUT, help="Where the profiles go, JSON.")
@click.option("--group-by", default=None, help="Field that says whose a text is.")
@click.option("--values", default=None,
              help="Values, theories, folders of your own values; all 32 by default.")  # fmt: skip
@click.option("--encoder", default="hives-mini", show_default=True,
              help="Decides which values a text is about.")  # fmt: skip
@click.option("--plot", default=None, type=OUT, help="Also draw a picture.")
@click.option("--release", default=None, type=click.Path(file_okay=False, path_type=Path),
              help="Also write the released code's form, one file per profile.")  # fmt: skip
@click.option("--judge", default="embedded", show_default=True, help="Judge name.")
@click.option("--k", default=6, show_default=True, help="Items per window.")
@click.option("--m", default=3, show_default=True, help="Windows per text and value.")
@click.option("--seed", default=0, show_default=True, help="Of the windows.")
@click.option("--profile", default="auto", show_default=True, help="Judge profile: a path or auto.")
@click.option("--journal", default="auto", show_default=True, help="Of a model judge, or none.")
def profile_command(
    sources: tuple[Path, ...],
    output: Path,
    group_by: str | None,
    values: str | None,
    encoder: str,
    plot: Path | None,
    release: Path | None,
    **instrument: Any,
) -> None:
    """Read value profiles from SOURCES.

    A source is JSON lines of {"text", "query"?, "id"?, "value"?}, answers that were judged
    already (lm-eval results or samples, Inspect logs, outputs of `valueflow score`), or a file of
    profiles, which stay as they are. "value" is what a text is about: an id, or the folder of a
    value of your own.
    """
    from ..profiles import save_profiles
    from ..profiles._plot import MOST, check_picture, plot_profiles
    from ..profiles._sources import read_profiles

    if plot is not None:
        check_picture(plot)
    with keeping(JOURNALLED):
        profiles, problems = read_profiles(sources, group_by, values, encoder, instrument)
        for problem in problems:
            click.echo(f"note: {problem}", err=True)
        save_profiles(output, profiles)
    with keeping(f"the profiles are in {output}"):
        _show(profiles)
        if release is not None:
            _write_releases(profiles, release)
        if plot is not None:
            for number, part in enumerate(_parts(profiles, MOST)):
                path = plot.with_stem(f"{plot.stem}-{number + 1}") if number else plot
                click.echo(plot_profiles(part, path))
    click.echo(f"{output}: {', '.join(one.name for one in profiles)}")


def _show(profiles: Sequence[ValueProfile]) -> None:
    """Print tables of what was found, and what it was found from."""
    console = Console()
    for part in _parts(profiles, max((console.width - _VALUE_WIDTH) // _SCORE_WIDTH, 1)):
        console.print(profile_table(part))
    for one in profiles:
        left_out = "".join(f"; {count} {reason}" for reason, count in one.unused.items())
        vague = f"; {one.vague} of {len(one.scores)} values vague" if one.vague else ""
        click.echo(f"{one.name}: {one.texts} texts{left_out}{vague}")
    _warn(profiles)


def _warn(profiles: Sequence[ValueProfile]) -> None:
    """Say of whom the texts told next to nothing."""
    from ..profiles._record import VAGUE

    vague = [one.name for one in profiles if one.vague > len(one.scores) / 2]
    if vague:
        named = ", ".join(vague[:_NAMED]) + (", …" if len(vague) > _NAMED else "")
        click.echo(
            f"note: {len(vague)} of {len(profiles)} profiles ({named}) say next to nothing: most "
            f"of their values are vague, with a 90 % interval that holds 0 and is ±{VAGUE:g} "
            "points or wider. More texts, lines that name their 'value', and a model as judge "
            "(--judge ranking:<model>) tell more; see docs/profiles.md",
            err=True,
        )


def _parts(profiles: Sequence[ValueProfile], size: int) -> list[Sequence[ValueProfile]]:
    return [profiles[start : start + size] for start in range(0, len(profiles), size)]


def _write_releases(profiles: Sequence[ValueProfile], folder: Path) -> None:
    from ..profiles import write_release

    folder.mkdir(parents=True, exist_ok=True)
    written: set[str] = set()
    for one in profiles:
        plain = "".join(c if c.isalnum() or c in "-_." else "_" for c in one.name)
        # `a/b` and `a_b` are two groups.
        free = chain([plain], (f"{plain}-{number}" for number in count(2)))
        name = next(name for name in free if name not in written)
        written.add(name)
        click.echo(write_release(one, folder / f"{name}.json"))


def profile_table(profiles: Sequence[ValueProfile]) -> Table:
    """Profiles side by side: intensity ± standard error, and the number of texts."""
    from ..theories import in_order

    judges = dict.fromkeys(
        one.built_from.judge for one in profiles if one.built_from and one.built_from.judge
    )
    told = escape(", ".join(map(str, judges)))
    table = Table(title=f"intensity ± stderr (texts), judge {told}")
    table.add_column("value")
    for one in profiles:
        table.add_column(escape(one.name), justify="right")
    for value in in_order(value for one in profiles for value in one.scores):
        scores = [one.scores.get(value) for one in profiles]
        table.add_row(value, *(
            "-" if one is None
            else f"{one.intensity:+.1f} ± {one.stderr:.1f} ({one.texts})"
            for one in scores
        ))  # fmt: skip
    return table
