"""`valueflow vectors …`: fit, calibrate, look at, and exchange steering vectors."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from valueflow_scorers import ValueFlowError

from . import cli

if TYPE_CHECKING:
    from ..steering import SteeringVector
    from ..steering._trial import Trial
    from ..steering.dial import Dial

_FOLDER = click.Path(file_okay=False, path_type=Path)
_EXISTING = click.Path(exists=True, path_type=Path)


@cli.group()
def vectors() -> None:
    """Steering vectors: fit, calibrate, look at, exchange."""


@vectors.command()
@click.option("--model", required=True, help="Hub name, path, or `bundled`.")
@click.option("--value", "values", required=True, multiple=True, help="Value or theory; repeat.")
@click.option("--method", default="mean-difference", show_default=True,
              help="mean-difference, pca, probe or regression.")  # fmt: skip
@click.option("--layers", default="auto", show_default=True, help="auto, or numbers such as 3,5.")
@click.option("--texts", default="exemplars", show_default=True,
              help="Contrast texts: exemplars, prompts (the model's own answers to prompts for "
              "both sides), or a JSON Lines file of {text, level, query?}.")  # fmt: skip
@click.option("--sides", type=click.Choice(["one", "two"]), default="one", show_default=True,
              help="One vector with both signs, or one from neutral toward each side.")  # fmt: skip
@click.option("--doses", default=None, help="Coefficients per level to try: 0.05,0.1,…")
@click.option("--judge", default="embedded", show_default=True, help="Judge that measures gains.")
@click.option("--batch-size", default=32, show_default=True, help="Answers per batch.")
@click.option("--device", default=None, help="cpu, cuda …; CUDA if there is one.")
@click.option("-o", "--output", required=True, type=_FOLDER, help="Folder of vectors.")
def fit(
    model: str,
    values: tuple[str, ...],
    method: str,
    layers: str,
    texts: str,
    sides: str,
    doses: str | None,
    judge: str,
    batch_size: int,
    device: str | None,
    output: Path,
) -> None:
    """Fit vectors; layer and dose are chosen on the 30 development queries.

    The choice is by measured gain per unit of lost fluency, and everything tried is printed and
    kept in the file.
    """
    from ..steering._answer import load_model
    from ..steering.fit import DOSES, fit_vector, save_vector

    loaded = load_model(model, device=device)
    grid = DOSES if doses is None else _numbers("--doses", doses)
    instrument = _instrument(judge)
    console = Console(stderr=True)
    for value in _resolved(values):
        vector, tried = fit_vector(
            loaded,
            value,
            instrument,
            method=method,  # type: ignore[arg-type]  # checked there, with a better message
            source=texts,
            sides=sides,
            layers=layers,
            doses=grid,
            batch_size=batch_size,
            progress=lambda line, value=value: console.print(f"{value}: {line}", highlight=False),  # type: ignore[misc]
        )
        best = max(tried, key=lambda one: one.worth)
        click.echo(
            f"{save_vector(vector, output)}: layer {best.layer}, {best.dose:g} residual norms "
            f"per level, gain {best.gain:+.2f} ± {best.stderr:.2f}, "
            f"perplexity x {best.lost_fluency:.2f}"
        )
        if best.gain < 1.96 * best.stderr:
            click.echo(f"  warning: on development queries the gain of {value} is not clear of 0")


@vectors.command()
@click.argument("folder", type=_FOLDER)
@click.option("--model", required=True, help="The model the vectors were fitted on.")
@click.option("--value", "values", multiple=True, help="Values; all of the folder by default.")
@click.option("--arm", type=click.Choice(["vector", "prompt"]), default="vector",
              show_default=True, help="Prompt levels are not interpolated.")  # fmt: skip
@click.option("--target", "targets", type=float, multiple=True,
              help="Say where the dial stands for this intensity; repeat.")  # fmt: skip
@click.option("--judge", default="embedded", show_default=True, help="Judge that measures.")
@click.option("--batch-size", default=32, show_default=True, help="Answers per batch.")
@click.option("--device", default=None, help="cpu, cuda …; CUDA if there is one.")
def calibrate(
    folder: Path,
    model: str,
    values: tuple[str, ...],
    arm: str,
    targets: tuple[float, ...],
    judge: str,
    batch_size: int,
    device: str | None,
) -> None:
    """Measure the dose-response curve of FOLDER's vectors, for `steer=value=intensity`."""
    from ..steering._answer import load_model
    from ..steering._folder import VectorFolder, dial_file
    from ..steering.calibrate import calibrate_prompts, calibrate_vector

    loaded = load_model(model, device=device)
    known = VectorFolder(folder) if arm == "vector" or not values else None
    instrument = _instrument(judge)
    for value in _resolved(values) or tuple(known.vectors if known else ()):
        if arm == "vector" and known is not None:
            dial, trial = calibrate_vector(
                loaded, known.vector(value), instrument, batch_size=batch_size
            )
            dial.save(dial_file(folder, value))
        else:
            dial, trial = calibrate_prompts(loaded, value, instrument, batch_size=batch_size)
        Console().print(_curve(dial, trial))
        for target in targets:
            _say(dial, target)


def _curve(dial: Dial, trial: Trial) -> Table:
    from ..side_effects import distinct_n

    table = Table(title=f"{dial.value}, {dial.arm} arm, {dial.queries} dev queries, {dial.judge}")
    for heading in ("level", "dose", "intensity", "± stderr", "curve", "perplexity", "distinct-2"):
        table.add_column(heading, justify="right")
    rows = zip(dial.doses, dial.means, dial.stderrs, dial.curve, strict=True)
    for dose, mean, error, fitted in rows:
        distinct = [distinct_n(text) for text in trial.answers[dose]]
        table.add_row(
            f"{dose / dial.dose_per_level:+.1f}", f"{dose:+.3f}", f"{mean:+.2f}", f"{error:.2f}",
            f"{fitted:+.2f}", f"{math.exp(trial.loss(dose)):.1f}",
            f"{sum(distinct) / len(distinct):.2f}",
        )  # fmt: skip
    return table


def _say(dial: Dial, target: float) -> None:
    try:
        setting = dial.invert(target)
    except ValueFlowError as error:
        click.echo(f"{target:+.1f}: {error}")
        return
    named = "level" if dial.arm == "prompt" else "dose"
    click.echo(
        f"{target:+.1f}: {named} {setting.dose:+.3f}, expected {setting.expected:+.1f}, 90 % "
        f"interval over 70 new queries {setting.low:+.1f} … {setting.high:+.1f}"
    )


@vectors.command()
@click.argument("paths", nargs=-1, required=True, type=_EXISTING)
def info(paths: tuple[Path, ...]) -> None:
    """Say what vector files, or folders of them, hold."""
    table = Table()
    for heading in ("file", "value", "model", "layer", "width", "norm", "method", "dose/level",
                    "gain", "fingerprint"):  # fmt: skip
        table.add_column(heading)
    for file, one in _vectors(paths):
        dose, gain = one.fit.get("dose_per_level"), one.fit.get("gain")
        error = one.fit.get("gain_stderr")
        table.add_row(
            file.name, one.value or "-", one.model_id or "-",
            f"{one.layer}" + (f"/{one.n_layers}" if one.n_layers else ""), str(one.d_model),
            "-" if one.residual_norm is None else f"{one.residual_norm:.2f}", one.method or "-",
            "-" if dose is None else f"{dose:g}",
            "-" if gain is None else f"{gain:+.2f} ± {error:.2f}", one.fingerprint[:12],
        )  # fmt: skip
    Console(width=max(Console().width, 150)).print(table)


def _vectors(paths: tuple[Path, ...]) -> list[tuple[Path, SteeringVector]]:
    from ..steering import SteeringVector

    files = [
        file
        for path in paths
        for file in (sorted(path.glob("*.safetensors")) if path.is_dir() else [path])
    ]
    if not files:
        raise ValueFlowError(f"no *.safetensors in {', '.join(map(str, paths))}")
    return [(file, SteeringVector.load(file)) for file in files]


def _resolved(values: tuple[str, ...]) -> tuple[str, ...]:
    from ..settings import measurable_values
    from ..theories import resolve_values

    return resolve_values(values, measurable_values())


def _instrument(judge: str) -> Any:
    from ..settings import Settings

    return Settings(judge=judge).instrument()


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueFlowError(f"{option} {text!r}: give numbers such as 0.05,0.1") from None
    if not found or min(found) <= 0:
        raise ValueFlowError(f"{option} {text!r}: doses are above 0")
    return found
