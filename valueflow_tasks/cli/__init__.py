"""The `valueflow` command."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from valueflow_scorers import ValueFlowError

from .. import __version__

RESUMES = "what was finished is kept: the same command again goes on from there"
JOURNALLED = (
    "no result was kept; what a model said is in its journal, if it has one, and is not asked for "
    "again by the same command"
)
_LOST = "nothing was kept"


@contextmanager
def keeping(what: str) -> Iterator[None]:
    """Around work that is not all lost when it is stopped, or the disk is full.

    Args:
        what: Is kept, in words that follow those of what happened.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise click.Abort(what) from None
    except OSError as error:
        raise OSError(f"{error}; {what}") from error


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="valueflow")
def cli() -> None:
    """Measure what values a language model expresses, and how far it can be steered."""


def main() -> None:
    """Run the command; bad input gives one line, not a traceback."""
    # Each adds its commands.
    from . import (  # noqa: F401
        _exchange,
        _harness,
        _hives,
        _judge,
        _panel,
        _profile,
        _report,
        _score,
        _study,
        _submit,
        _vectors,
        _vidb,
        _vidb_languages,
        _vidb_questions,
    )

    try:
        cli(standalone_mode=False)
    except ValueFlowError as error:
        click.echo(f"valueflow: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        click.echo(f"valueflow: {error}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as stopped:
        click.echo(f"valueflow: interrupted; {str(stopped) or _LOST}", err=True)
        sys.exit(130)
