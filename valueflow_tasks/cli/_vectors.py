"""`valueflow vectors …`: fit, calibrate, look at, and exchange steering vectors."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from valueflow_scorers import ValueFlowError

from ..prompts import METHODS
from . import cli, keeping
from ._dial_table import curve, say
from ._local_model import answering, load
from ._output import check_folder
from ._vectors_given import (
    check_method,
    check_targets,
    check_texts,
    doubt_of,
    instrument_for,
    read_doses,
    read_layers,
    resolved,
)

if TYPE_CHECKING:
    from ..steering import SteeringVector

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
@answering
@click.option("-o", "--output", required=True, type=_FOLDER, help="Folder of vectors.")
@keeping("vectors that are named above are kept, no others")
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
    model_args: str,
    output: Path,
) -> None:
    """Fit vectors; layer and dose are chosen on the 30 development queries.

    The choice is by measured gain per unit of lost fluency, and everything tried is printed and
    kept in the file.
    """
    from ..steering.fit import DOSES, fit_vector, save_vector

    # What cannot be done is refused before the model is loaded.
    asked = resolved(values)
    grid = DOSES if doses is None else read_doses(doses)
    chosen = read_layers(layers)
    check_method(method)
    check_texts(texts)
    check_folder(output)
    instrument = instrument_for(judge, asked)
    loaded = load(model, device, model_args)
    console = Console(stderr=True)
    for value in asked:
        vector, tried = fit_vector(
            loaded,
            value,
            instrument,
            method=method,  # type: ignore[arg-type]  # checked above
            source=texts,
            sides=sides,
            layers=chosen,
            doses=grid,
            batch_size=batch_size,
            progress=partial(_progress, console, value),
        )
        best = max(tried, key=lambda one: one.worth)
        click.echo(
            f"{save_vector(vector, output)}: layer {best.layer}, {best.dose:g} residual norms "
            f"per level, gain {best.gain:+.2f} ± {best.stderr:.2f}, "
            f"perplexity x {best.lost_fluency:.2f}, {best.share_unscored:.0%} not scored"
        )
        if doubt := doubt_of(value, best, tried, texts, sides):
            click.echo(f"  warning: {doubt}")


def _progress(console: Console, value: str, line: str) -> None:
    console.print(f"{value}: {line}", highlight=False)


@vectors.command()
@click.argument("folder", type=_FOLDER, required=False)
@click.option("--model", required=True, help="The model the vectors were fitted on.")
@click.option("--value", "values", multiple=True, help="Values; all of the folder by default.")
@click.option("--arm", type=click.Choice(["vector", "prompt"]), default="vector",
              show_default=True, help="prompt: the model's dial, kept for all runs of this user; "
              "levels are not interpolated.")  # fmt: skip
@click.option("--method", type=click.Choice(METHODS), default=METHODS[0], show_default=True,
              help="With --arm prompt: how prompts steer.")  # fmt: skip
@click.option("--target", "targets", type=float, multiple=True,
              help="Say where the dial stands for this intensity; repeat.")  # fmt: skip
@click.option("--judge", default="embedded", show_default=True, help="Judge that measures.")
@click.option(
    "--samples",
    default=1,
    show_default=True,
    help="Answers per query: more of them make up for a noisy judge.",
)
@click.option(
    "--temperature",
    default=0.0,
    show_default=True,
    help="Of the answers; as the steered runs will have it (lm-eval: with top_k=0).",
)
@answering
@keeping("dials that are named above are kept, no others")
def calibrate(
    folder: Path | None,
    model: str,
    values: tuple[str, ...],
    arm: str,
    method: str,
    targets: tuple[float, ...],
    judge: str,
    samples: int,
    temperature: float,
    batch_size: int,
    device: str | None,
    model_args: str,
) -> None:
    """Measure the dose-response curve of FOLDER's vectors, for `steer=value=intensity`."""
    from ..steering._answer import Sampling, short_name
    from ..steering._folder import VectorFolder, dial_file, prompt_dial_file
    from ..steering.calibrate import calibrate_prompts, calibrate_vector

    known = None if folder is None else VectorFolder(folder)
    if arm == "vector" and known is None:
        raise ValueFlowError("--arm vector measures vectors: give their FOLDER")
    asked = resolved(values) or tuple(known.vectors if known else ())
    if not asked:
        raise ValueFlowError("--arm prompt needs --value, or a FOLDER whose values are meant")
    check_targets(targets)
    sampling = Sampling(samples, temperature)
    if known is not None and arm == "vector":
        fitted = {value: known.vector(value) for value in asked}
        check_folder(known.folder, "FOLDER")
    else:
        dials = prompt_dial_file(short_name(model), asked[0], method).parent
        check_folder(dials, "VALUEFLOW_DIALS")
    instrument = instrument_for(judge, asked)
    loaded = load(model, device, model_args)
    console, missed = Console(stderr=True), False
    for value in asked:
        if arm == "vector" and known is not None:
            dial, trial = calibrate_vector(
                loaded,
                fitted[value],
                instrument,
                sampling=sampling,
                batch_size=batch_size,
                progress=partial(_progress, console, value),
            )
            kept = dial_file(known.folder, value)
        else:
            dial, trial = calibrate_prompts(
                loaded, value, instrument, method=method, sampling=sampling, batch_size=batch_size
            )
            kept = prompt_dial_file(dial.model, value, dial.identity)
        dial.save(kept)
        Console().print(curve(dial, trial))
        reached = [say(dial, target) for target in targets]
        missed |= not all(reached)
        click.echo(f"wrote {kept}")
    if missed:
        click.echo("valueflow: a target is out of reach, see above; the dial is saved", err=True)
        sys.exit(1)


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
            "-" if gain is None else f"{gain:+.2f} ± {error:.2f}", one.fingerprint,
        )  # fmt: skip
    # Specs name vectors by their whole fingerprint: no column may be cut.
    Console(width=max(Console().width, 220)).print(table)


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
