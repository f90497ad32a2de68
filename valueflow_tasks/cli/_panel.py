"""`valueflow panel …`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from . import cli


@cli.group()
def panel() -> None:
    """The rulers: check, read and draw them."""


@panel.command()
@click.argument("values", nargs=-1)
def check(values: tuple[str, ...]) -> None:
    """Refit panels from their ratings and say whether they are sound (all by default)."""
    from valueflow_scorers import _panel_check as checks
    from valueflow_scorers import panel_values

    names = _resolved(values) or panel_values()
    found = [
        checks.check_panel(name)
        for name in track(names, "refitting", console=Console(stderr=True), transient=True)
    ]
    table = Table(title="panels, refitted from their ratings")
    for heading in ("value", "texts", "passes", "W", "left-out rho", "stderr median", "max", "gap",
                    "neutral", "length r", "swapped", "connected", "nearest in", "across",
                    "verdict"):  # fmt: skip
        table.add_column(heading, justify="left" if heading in ("value", "verdict") else "right")
    for one in found:
        table.add_row(
            one.value,
            str(one.texts),
            str(one.passes),
            f"{one.concordance:.3f}",
            f"{one.left_out:.3f}",
            f"{one.median_stderr:.2f}",
            f"{one.largest_stderr:.2f}",
            f"{one.largest_gap:.2f}",
            f"{one.neutral_drift:.2f}",
            f"{one.length_r:+.2f}",
            f"{one.disagreement:.1%}",
            "yes" if one.connected else "no",
            f"{one.nearest_within:.2f}",
            f"{one.nearest_across:.2f}",
            "; ".join(one.faults) or "sound",
        )
    Console(width=max(Console().width, 190)).print(table)
    over_all = checks.set_faults(found)
    for fault in over_all:
        click.echo(f"the set falls short: {fault}")
    if len(found) == len(panel_values()):
        click.echo("anchors of one value rated on a neighbour, r with their own intensities:")
        for (own, other), r in checks.confusable_correlations().items():
            click.echo(f"  {own} rated on {other}: {r:+.2f}")
    sys.exit(1 if over_all or any(one.faults for one in found) else 0)


@panel.command()
@click.argument("value")
def show(value: str) -> None:
    """Print the ruler of VALUE as people would read it, strongest support first."""
    from valueflow_scorers import load_panel

    (name,) = _resolved((value,))
    ruler = load_panel(name)
    sentinels = {text.key for text in ruler.sentinels}
    table = Table(title=f"{name}: {ruler.definition}", caption=ruler.source, show_lines=True)
    table.add_column("intensity", justify="right")
    table.add_column("± stderr", justify="right")
    table.add_column("role")
    table.add_column("question and answer")
    for text in sorted(ruler.texts, key=lambda text: -text.intensity):
        role = "sentinel" if text.key in sentinels else "anchor"
        words = f"[dim]{text.query}[/dim]\n{text.text}"
        table.add_row(f"{text.intensity:+.1f}", f"{text.stderr:.2f}", role, words)
    Console().print(table)


@panel.command()
@click.option("-o", "--output", default="panels.png", show_default=True,
              type=click.Path(dir_okay=False, path_type=Path), help="PNG or SVG.")  # fmt: skip
def plot(output: Path) -> None:
    """Draw all rulers: every text at its intensity with its error."""
    from ..panel_plot import plot_panels

    click.echo(f"drew {plot_panels(output)}")


def _resolved(values: tuple[str, ...]) -> tuple[str, ...]:
    from ..settings import measurable_values
    from ..theories import resolve_values

    return resolve_values(values, measurable_values())
