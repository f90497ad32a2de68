"""`valueflow link`, `valueflow path`, `valueflow lm-eval`."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from traceback import walk_tb
from typing import Any

import click
from valueflow_scorers import ValueFlowError

from . import cli, keeping

_READERS = ("lm_eval._cli.", "lm_eval.config.", "lm_eval.api.registry")
"""Modules of the harness that take a command line apart: what these themselves refuse, tasks,
models and their arguments, is the user's mistake."""
_MAKERS = (
    ("lm_eval.api.model", "create_from_arg_obj"),
    ("lm_eval.api.model", "create_from_arg_string"),
)
"""Functions of the harness that make the model."""
_CHECKS = (
    *_MAKERS, ("lm_eval.api.model", "chat_template"), ("lm_eval.evaluator", "simple_evaluate"),
)  # fmt: skip
"""Functions that refuse a user's mistake too, in modules that else run and measure the model."""


@cli.command()
@click.option("--undo", is_flag=True, help="Remove the copied task files.")
@click.option("--check", is_flag=True, help="Say whether they are there and current.")
def link(undo: bool, check: bool) -> None:
    """Let plain `lm_eval --tasks valueflow` find the tasks.

    Copies the task YAML once into the tasks folder of the lm_eval that imports.
    """
    from ..lm_eval_tasks import _link

    if check:
        linked = _link.is_linked()
        click.echo(f"{'linked' if linked else 'not linked'}: {_link.linked_folder()}")
        sys.exit(0 if linked else 1)
    if undo:
        removed = _link.unlink()
        click.echo(f"removed {removed}" if removed else "not linked: nothing to remove")
    else:
        click.echo(f"linked {_link.link()}")


@cli.command()
def path() -> None:
    """Print the folder of the task YAML, for lm_eval's --include_path."""
    from ..lm_eval_tasks import _link

    click.echo(_link.config_folder())


@cli.command(
    "lm-eval",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def lm_eval(arguments: tuple[str, ...]) -> None:
    """Run lm-eval's own command line with ValueFlow's tasks, models and filter.

    Takes the arguments of `lm_eval`, for example
    `valueflow lm-eval --model hf --model_args pretrained=gpt2 --tasks valueflow_profile`.
    """
    # The logging set-up of the harness reads this before anything else is imported.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import lm_eval.models  # noqa: F401  first: otherwise the built-in models vanish
    from lm_eval._cli.harness import HarnessCLI
    from lm_eval.utils import setup_logging

    from .. import lm_eval_tasks  # noqa: F401  registers ours
    from ..lm_eval_tasks import _link

    given = list(arguments)
    subcommand = given[0] if given and not given[0].startswith("-") else "run"
    rest = given[1:] if given and given[0] == subcommand else given
    sys.argv = ["lm-eval", subcommand, *rest]
    setup_logging()
    harness = HarnessCLI()
    chosen = harness.parse_args()
    try:
        if not _link.is_linked():
            _include(chosen, str(_link.config_folder()))
        with keeping(_kept(chosen)):
            harness.execute(chosen)
    except OSError as error:
        # Of a model that could not be made there are no answers that a cache would have kept.
        plain = error.__cause__
        if plain is not None and any(place in _MAKERS for place in _places(plain)):
            raise plain from None
        raise
    except (ValueError, TypeError) as error:
        *_, place = _places(error)
        if place not in _CHECKS and not place[0].startswith(_READERS):
            raise
        raise ValueFlowError(
            f"lm-eval says: {error} (`valueflow lm-eval ls tasks` lists the tasks, "
            "`valueflow lm-eval run -h` the options)"
        ) from None


def _places(error: BaseException) -> Iterator[tuple[str, str]]:
    """Module and function of each frame that an error went through, the one it is from last."""
    for frame, _ in walk_tb(error.__traceback__):
        yield str(frame.f_globals["__name__"]), frame.f_code.co_name


def _kept(chosen: Namespace) -> str:
    """What is left of a run that is stopped."""
    if _given(chosen, "use_cache"):
        return (
            "no result was kept; the answers are in the file of --use_cache, and what a model "
            "judge said is in its journal, if it has one: the same command again finds both"
        )
    return (
        "no result and no answers were kept (--use_cache FILE keeps a model's answers); what a "
        "model judge said is in its journal, if it has one"
    )


def _given(chosen: Namespace, name: str) -> Any:
    """An option, from the command line or else from the file of --config."""
    from lm_eval.config.evaluate_config import EvaluatorConfig

    if (own := getattr(chosen, name, None)) or not getattr(chosen, "config", None):
        return own
    return EvaluatorConfig.load_yaml_config(chosen.config).get(name)


def _include(chosen: Namespace, ours: str) -> None:
    """Add a folder of tasks to the user's own, which is looked into last and so wins.

    The harness takes several folders, though its command line has words for one only.
    """
    theirs = _given(chosen, "include_path")
    own = [theirs] if isinstance(theirs, str) else list(theirs or [])
    chosen.include_path = [ours, *own]
