"""What `valueflow vectors calibrate` prints of a dial."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import click
from rich.table import Table
from valueflow_scorers import ValueFlowError

if TYPE_CHECKING:
    from ..steering._trial import Trial
    from ..steering.dial import Dial


def curve(dial: Dial, trial: Trial) -> Table:
    """The dose-response curve, and what steering did to the answers besides."""
    from ..side_effects import distinct_n

    asked = f"{dial.queries} queries{dial.sampling.told}"
    table = Table(title=f"{dial.value}, {dial.arm} arm, {asked}, {dial.judge}")
    for heading in ("level", "dose", "mean", "± queries", "curve", "ppl", "distinct-2",
                    "unscored"):  # fmt: skip
        table.add_column(heading, justify="right")
    rows = zip(dial.doses, dial.means, dial.scatters, dial.curve, strict=True)
    for dose, mean, scatter, fitted in rows:
        distinct = [distinct_n(text) for text in trial.answers[dose]]
        table.add_row(
            f"{dose / dial.dose_per_level:+.1f}", f"{dose:+.3f}", f"{mean:+.2f}", f"{scatter:.2f}",
            f"{fitted:+.2f}", f"{math.exp(trial.loss(dose)):.1f}",
            f"{sum(distinct) / len(distinct):.2f}", f"{trial.share_unscored(dose):.0%}",
        )  # fmt: skip
    if left := sorted(set(trial.doses) - set(dial.doses)):
        levels = ", ".join(f"{dose / dial.dose_per_level:+.1f}" for dose in left)
        table.caption = f"most answers could not be measured, left out: level {levels}"
    return table


def say(dial: Dial, target: float) -> bool:
    """Print where the dial stands for an intensity, or that it does not reach it: if it does."""
    try:
        setting = dial.invert(target)
    except ValueFlowError as error:
        click.echo(f"{target:+.1f}: {error}")
        return False
    named = "level" if dial.arm == "prompt" else "dose"
    promise = dial.promise(setting)
    click.echo(
        f"{target:+.1f}: {named} {setting.dose:+.3f}, expected {setting.expected:+.1f}, 90 % "
        f"interval over {promise.queries} new queries{dial.sampling.told} "
        f"{setting.low:+.1f} … {setting.high:+.1f}"
    )
    return True
