"""The first thing a reader sees: findings, the numbers behind them, and what to beware."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup

from ..analysis import Run
from ..bundled import is_bundled
from ._blocks import Block, Column, Prose, Section, Table, with_interval
from ._draw import bar
from ._findings import Row, findings, wholes
from ._labels import share
from ._parts import Contents, Part

_TOO_MANY_FAILURES = 0.1


def headline(part: Part) -> Section:
    """Findings and the table of conditions."""
    said = list(findings(part))
    blocks: list[Block] = [Prose(Markup(" ").join(said), lead=True)] if said else []
    for table in (steering_table(part), strength_table(part)):
        if table is not None:
            blocks.append(table)
    return Section(
        "headline", "Headline", blocks, "Nothing has a number: see refusals and failures below."
    )


def steering_table(part: Part) -> Table | None:
    """One row per condition: steerability, tracking, gain, refusals."""
    found = wholes(part, "steerability")
    others = {name: wholes(part, name) for name in ("tracking", "gain", "refusal")}
    if not found:
        return None
    rows = []
    for condition, row in found.items():
        model, method = condition
        refusal = others["refusal"].get(condition)
        rows.append(
            (
                model_cell(part, model),
                method,
                bar(row["estimate"], row["low"], row["high"], (-1, 1)),
                _cell(row),
                *(_cell(others[name].get(condition)) for name in ("tracking", "gain")),
                share(refusal["estimate"] if refusal else None),
                f"{row['values']} × {row['n']}",
            )
        )
    columns = (
        Column("model", text=True),
        Column("method", text=True),
        Column("−1 … 0 … +1", text=True),
        Column("steerability"),
        Column("tracking"),
        Column("gain"),
        Column("refused"),
        Column("values × queries"),
    )
    said = "Over all values, with 90 % intervals. Gain: points per level."
    return Table(said, columns, tuple(rows), look="cards")


def strength_table(part: Part) -> Table | None:
    """One row per model: strength of its unsteered answers."""
    found = wholes(part, "strength")
    if not found:
        return None
    rows = tuple(
        (
            model_cell(part, model),
            bar(row["estimate"], row["low"], row["high"], (0, 10)),
            _cell(row),
            f"{row['values']} × {row['n']}",
        )
        for (model, _), row in found.items()
    )
    columns = (
        Column("model", text=True),
        Column("0 … 10", text=True),
        Column("strength"),
        Column("values × queries"),
    )
    said = (
        "Unsteered answers: strength, the mean distance of intensities from neutral in points, "
        "with 90 % intervals. It has no good direction and is not ranked."
    )
    return Table(said, columns, rows, look="cards")


def model_cell(part: Part, model: str) -> Markup:
    """A model's full name, marked where it is a control."""
    tag = (
        Markup(' <span class="tag warned">control</span>') if model in part.controls else Markup("")
    )
    return Markup("{}{}").format(model, tag)


def _cell(row: Row | None) -> Markup:
    if row is None:
        return with_interval(float("nan"), float("nan"), float("nan"))
    return with_interval(row["estimate"], row["low"], row["high"])


def warnings(contents: Contents) -> list[str]:
    """What a reader must know before any number, one sentence each."""
    runs = contents.runs
    told: list[str] = []
    controls = sorted({run.model for run in runs if run.control})
    if controls:
        only = len(controls) == len({run.model for run in runs})
        more = "No model here is a real one." if only else "They are no evidence about any model."
        told.append(f"Models of known truth are among the models: {', '.join(controls)}. {more}")
    for name in sorted({run.model for run in runs if _bundled(run)}):
        told.append(
            f"“{name}” is the model of three million parameters that ships for demonstrations: "
            "it is no evidence about any real model."
        )
    judges = sorted({str(run.judge) for run in runs if run.calibrated is False})
    if judges:
        told.append(
            f"The judge is not calibrated ({', '.join(judges)}): its numbers are comparable to "
            "nothing. Run `valueflow judge calibrate`, then judge again."
        )
    simulated = sorted({str(run.judge) for run in runs if str(run.judge).startswith("simulated")})
    if simulated:
        told.append(
            f"The judge {', '.join(simulated)} knows the panels' labels: it checks an "
            "installation and measures nothing else."
        )
    limited = [run for run in runs if run.limited]
    if limited:
        told.append(f"{_of(limited, runs)} put fewer queries than the protocol has.")
    broken = [run for run in runs if not run.complete]
    if broken:
        told.append(f"{_of(broken, runs)} did not come to their end, or their files are damaged.")
    told += [sentence for part in contents.parts for sentence in _lost(part)]
    return told


def _bundled(run: Run) -> bool:
    return is_bundled(run.model, {one.text or "" for one in run.answers})


def _of(some: Sequence[Any], runs: Sequence[Any]) -> str:
    return f"{len(some)} of {len(runs)} run{'' if len(runs) == 1 else 's'}"


def _lost(part: Part) -> Iterator[str]:
    for model, own in part.outcomes.groupby("model", sort=False):
        lost = own["unscored"].sum() / max(own["measurements"].sum() - own["refused"].sum(), 1)
        if lost > _TOO_MANY_FAILURES:
            yield (
                f"{share(float(lost))} of the measurements of {model} by {part.judge or 'an '}"
                f"{'' if part.judge else 'unnamed judge'} have no number."
            )
