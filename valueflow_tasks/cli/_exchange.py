"""`valueflow vectors export|import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from valueflow_scorers import ValueFlowError

from ._vectors import vectors

if TYPE_CHECKING:
    from ..steering import SteeringVector

_FORMATS = ("peft", "gguf", "lm-eval")
_FOLDER = click.Path(file_okay=False, path_type=Path)
_EXISTING = click.Path(exists=True, path_type=Path)


@vectors.command("export")
@click.argument("path", type=_EXISTING)
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--to", "kind", type=click.Choice(_FORMATS), required=True, help="Format.")
@click.option("--level", default=1.0, show_default=True, help="Level that the file applies.")
@click.option("--dose", default=None, type=float, help="In place of a level: residual norms.")
@click.option("--model", default=None, help="Needed for peft and lm-eval: hub name or path.")
def export(
    path: Path, output: Path, kind: str, level: float, dose: float | None, model: str | None
) -> None:
    """Write the vector in PATH in another tool's format."""
    from .. import steering
    from ..steering import SteeringVector

    one = SteeringVector.load(path)
    amount = dose if dose is not None else level * _dose_per_level(one, path)
    if kind == "gguf":
        written: Any = steering.export_gguf(output, [one], [amount])
    else:
        if model is None:
            raise ValueFlowError(f"--to {kind} names places inside the model: give --model")
        from ..steering._answer import load_model

        inner = load_model(model, device="cpu").model
        write = steering.export_peft if kind == "peft" else steering.export_lm_eval
        written = write(output, inner, [one], [amount])
    click.echo(f"wrote {written}: {amount:+g} residual norms at layer {one.layer}")


@vectors.command("import")
@click.argument("path", type=_EXISTING)
@click.option("--from", "kind", type=click.Choice(_FORMATS), required=True, help="Format.")
@click.option("--model-id", default="", help="The model it belongs to, if you know.")
@click.option("-o", "--output", required=True, type=_FOLDER, help="Folder of vectors.")
def import_(path: Path, kind: str, model_id: str, output: Path) -> None:
    """Read PATH and write one native file per layer; doses are printed, not stored."""
    from .. import steering

    readers = {"peft": steering.import_peft, "gguf": steering.import_gguf,
               "lm-eval": steering.import_lm_eval}  # fmt: skip
    read = readers[kind](path, model_id=model_id)
    for one, length in zip(read.vectors, read.coefficients, strict=True):
        written = one.save(output / f"layer-{one.layer}.safetensors")
        click.echo(f"wrote {written}: operator {read.operator}, unit raw, coefficient {length:g}")


def _dose_per_level(one: SteeringVector, path: Path) -> float:
    from ..steering._folder import DOSE

    if DOSE not in one.fit:
        raise ValueFlowError(f"{path} says nothing of its dose: give --dose")
    return float(one.fit[DOSE])
