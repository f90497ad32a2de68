"""`valueflow study run`."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from valueflow_scorers import ValueFlowError

from . import RESUMES, cli, keeping
from ._study_tables import costs, results

_PHASES = ("answers", "judgements")


@cli.group()
def study() -> None:
    """Models, values, methods and judges in one file: generate, judge, compare."""


@study.command()
@click.argument("source")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Folder of the study; default: its name. The same command resumes it.",
)
@click.option("--dry-run", is_flag=True, help="Print calls, tokens and cost; spend nothing.")
@click.option("--budget", type=float, default=None, help="Dollars that each phase may spend.")
@click.option(
    "--only",
    type=click.Choice(_PHASES),
    default=None,
    help="answers: generate now, judge later. judgements: judge what was generated.",
)
@keeping(RESUMES)
def run(
    source: str, output: Path | None, dry_run: bool, budget: float | None, only: str | None
) -> None:
    """Run SOURCE, a study file, or one that ships: offline, quick."""
    from ..study import check_judges, estimate, generate, judge, load_study, unanswered

    plan = load_study(source)
    folder = output or Path(plan.name)
    console = Console(highlight=False)
    if dry_run:
        console.print(costs(estimate(plan, folder)))
        return
    folder.mkdir(parents=True, exist_ok=True)
    if only != "answers":
        check_judges(plan)
    if only != "judgements":
        console.print(f"[bold]{escape(plan.name)}[/bold]: answers in {folder / 'answers'}")
        generate(plan, folder, budget=budget)
    if only == "answers":
        console.print("answers are there; judge them with --only judgements")
        return
    written = judge(
        plan,
        folder,
        budget=budget,
        done=lambda file, state: console.print(f"  {file}: {state}", markup=False),
    )
    if written:
        if (table := results(written)).row_count:
            console.print(table)
        told = f"all of it: valueflow_tasks.analysis.load_runs({str(folder / 'judged')!r})"
        console.print(told, markup=False)
    if missing := unanswered(plan, folder):
        raise ValueFlowError(
            f"no answers yet from {'; '.join(missing)}: the same command without --only asks for "
            "them"
        )
