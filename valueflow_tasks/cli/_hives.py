"""`valueflow hives …`: train the encoder of texts and values, and measure one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from . import RESUMES, cli, keeping

if TYPE_CHECKING:
    from ..hives import Evaluation

FOLDER = click.Path(file_okay=False, path_type=Path)
OUT = click.Path(dir_okay=False, path_type=Path)


@cli.group()
def hives() -> None:
    """Embed texts in one space that knows the hierarchies of four theories."""


@hives.command()
@click.option("--config", "config_name", default="hives-mini", show_default=True,
              help="A configuration that ships, or a YAML file.")  # fmt: skip
@click.option("-o", "--output", required=True, type=FOLDER, help="Folder of the run.")
@click.option("--export", type=OUT, help="Also write HiVES-mini's file, as the judge reads it.")
@keeping(RESUMES)
def train(config_name: str, output: Path, export: Path | None) -> None:
    """Train an encoder; the same command again goes on from the last checkpoint.

    Several devices: `accelerate launch $(command -v valueflow) hives train …`.
    """
    from ..hives import load_config
    from ..hives import train as train_encoder

    config = load_config(config_name)
    model_at = train_encoder(config, output)
    click.echo(f"{model_at}: use it as --encoder, or open it with sentence-transformers")
    if export is not None:
        from ..hives._export import export_mini

        export_mini(model_at, config, export)
        click.echo(f"{export}: {export.stat().st_size / 1e6:.1f} MB")


@hives.command()
@click.option("--encoder", default="hives-mini", show_default=True,
              help="`hives-mini`, `minilm`, a trained folder, or a model of the hub.")  # fmt: skip
@click.option("--split", default="test", show_default=True, help="`test`, or `dev` to choose by.")
@click.option("--alone", is_flag=True, help="Without the base encoder and TF-IDF beside it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def evaluate(encoder: str, split: str, alone: bool, as_json: bool) -> None:
    """Measure an encoder on situations that it was not trained on."""
    from ..hives import evaluate as evaluate_encoder
    from ..hives import load_corpus

    beside = () if alone else ("minilm", "tfidf-svd")
    found = evaluate_encoder(encoder, load_corpus(), split=split, beside=beside)
    if as_json:
        click.echo(json.dumps(found.to_dict()))
    else:
        Console(width=120).print(_table(found))


def _table(found: Evaluation) -> Table:
    title = f"{found.texts} {found.split} texts of {found.scenes} scenes, 95 % intervals"
    table = Table(title=title)
    table.add_column("metric")
    for name in found.metrics:
        table.add_column(name, justify="right")
    for metric in next(iter(found.metrics.values())):
        cells = [measured[metric] for measured in found.metrics.values()]
        table.add_row(
            metric.replace("_", " "),
            *(f"{one.value:.3f}  {one.low:.3f} … {one.high:.3f}" for one in cells),
        )
    return table
