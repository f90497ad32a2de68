"""`valueflow vectors export|import`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from valueflow_scorers import ValueFlowError

from ._local_model import load, model_args
from ._vectors import vectors

if TYPE_CHECKING:
    from ..steering import ExchangedVectors

_FORMATS = ("peft", "gguf", "lm-eval")
_FOLDER = click.Path(file_okay=False, path_type=Path)
_EXISTING = click.Path(exists=True, path_type=Path)
SPEC_FILE = "spec.json"
"""What `import` writes beside the vectors: they act as the file they were read from."""


@vectors.command("export")
@click.argument("path", type=_EXISTING)
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--to", "kind", type=click.Choice(_FORMATS), required=True, help="Format.")
@click.option("--level", default=1.0, show_default=True, help="Level that the file applies.")
@click.option("--dose", default=None, type=float,
              help="In place of a level: the coefficient, in residual norms.")  # fmt: skip
@click.option("--model", default=None, help="Needed for peft and lm-eval: hub name or path.")
@model_args
def export(
    path: Path,
    output: Path,
    kind: str,
    level: float,
    dose: float | None,
    model: str | None,
    model_args: str,
) -> None:
    """Write the vector in PATH in another tool's format, as the harnesses would apply it.

    Below 0 that is the vector against the value, if one lies beside PATH.
    """
    from .. import steering
    from ..steering._folder import load_fitted

    fitted = load_fitted(path)
    one, amount = fitted.dosed(level * fitted.dose_per_level if dose is None else dose)
    if kind == "gguf":
        written: Any = steering.export_gguf(output, [one], [amount], **fitted.how)
    else:
        if model is None:
            raise ValueFlowError(f"--to {kind} names places inside the model: give --model")
        inner = load(model, "cpu", model_args).model
        write = steering.export_peft if kind == "peft" else steering.export_lm_eval
        written = write(output, inner, [one], [amount], **fitted.how)
    unit = "residual norms" if fitted.how["unit"] == "residual" else "unit directions"
    click.echo(f"wrote {written}: {amount:+g} {unit} at layer {one.layer}")


@vectors.command("import")
@click.argument("path", type=_EXISTING)
@click.option("--from", "kind", type=click.Choice(_FORMATS), required=True, help="Format.")
@click.option("--model-id", default=None, help="The model it belongs to, if you know.")
@click.option("--value", default=None, help="The value that it moves toward support; OUTPUT is "
              "then a folder for vectors=. Needs a file of one layer.")  # fmt: skip
@click.option("--dose-per-level", default=None, type=float,
              help="With --value: length of one level; the file's own by default.")  # fmt: skip
@click.option("-o", "--output", required=True, type=_FOLDER, help="Folder of vectors.")
def import_(
    path: Path,
    kind: str,
    model_id: str | None,
    value: str | None,
    dose_per_level: float | None,
    output: Path,
) -> None:
    """Read PATH and write native files: a spec that acts as PATH does, or the vector of a value."""
    from .. import steering

    readers = {"peft": steering.import_peft, "gguf": steering.import_gguf,
               "lm-eval": steering.import_lm_eval}  # fmt: skip
    read = readers[kind](path, **({} if model_id is None else {"model_id": model_id}))
    if value is not None:
        _write_value(read, value, dose_per_level, output)
    elif dose_per_level is not None:
        raise ValueFlowError("--dose-per-level says what a level of a value is: give --value")
    else:
        _write_spec(read, output)


def _write_spec(read: ExchangedVectors, output: Path) -> None:
    """One file per layer, and the spec that names them."""
    from ..steering import SteeringSpec, VectorDose

    doses = []
    for one, length in zip(read.vectors, read.coefficients, strict=True):
        written = one.save(output / f"layer-{one.layer}.safetensors")
        doses.append(VectorDose(written.name, one.fingerprint, length))
        click.echo(f"wrote {written}: operator {read.operator}, unit raw, coefficient {length:g}")
    spec = SteeringSpec(vectors=tuple(doses), unit="raw", operator=read.operator)
    target = output / SPEC_FILE
    target.write_text(spec.to_json() + "\n", "utf-8")
    click.echo(f"wrote {target}: steer={target} applies all of it")


def _write_value(
    read: ExchangedVectors, value: str, dose_per_level: float | None, output: Path
) -> None:
    """The vector of a value, its dose in the length that the file states."""
    from ..settings import measurable_values
    from ..steering._folder import DOSE, Fitted
    from ..steering.fit import save_vector
    from ..theories import resolve_values

    if len(read.vectors) != 1 or read.operator != "add":
        raise ValueFlowError(
            f"--value takes a file that adds a vector at one layer; this one has "
            f"{len(read.vectors)} with the operator {read.operator}: leave --value out, and use "
            f"the {SPEC_FILE} that is then written"
        )
    found = resolve_values([value], measurable_values())
    if len(found) != 1:
        raise ValueFlowError(f"--value {value}: give a single value, such as svt/power")
    dose = read.coefficients[0] if dose_per_level is None else dose_per_level
    one = replace(read.vectors[0], value=found[0])
    one = replace(one, fit={**one.fit, DOSE: dose, "unit": "raw"})
    written = save_vector(Fitted(one), output)
    click.echo(f"wrote {written}: unit raw, {dose:g} per level; use it by vectors={output}")
