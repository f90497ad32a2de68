"""`valueflow report`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click
from valueflow_scorers import ValueFlowError
from valueflow_scorers._collector import collector_at_rest

from . import cli

_NEEDED = ("jinja2", "matplotlib", "pandas", "threadpoolctl")
"""Packages of the extra `report`."""


@cli.command()
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    default=Path("report"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the page, its pictures and tables, and all answers.",
)
def report(logs: tuple[Path, ...], output: Path) -> None:
    """Turn LOGS (lm-eval results, Inspect logs, score files, folders of them) into one page."""
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise ValueFlowError(
            f"a report needs {' and '.join(missing)}: pip install 'valueflow-tasks[report]'"
        )
    from threadpoolctl import threadpool_limits

    from ..analysis import load_runs
    from ..report import write_report

    # Many small products: threads would wait for each other longer than they compute.
    with collector_at_rest(), threadpool_limits(1, "blas"):
        runs = load_runs(logs)
        page = write_report(runs, output)
    for problem in runs.problems:
        click.echo(f"left out: {problem}", err=True)
    click.echo(f"{page}: {len(runs.runs)} runs, {len(runs.frame):,} measurements")
