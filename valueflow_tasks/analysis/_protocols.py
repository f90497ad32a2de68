"""Fingerprints of what was asked and how it was measured, recomputed from what logs say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from valueflow_scorers import ValueFlowError
from valueflow_scorers._records import fingerprint

from ..prompts import user_turn
from ..queries import Query, query_set_fingerprint
from ..settings import Settings
from ._run import Run

Asking = list[Any]
"""How answers were asked for and made into results, as the protocol's fingerprint has it."""


def asking(run: Run) -> Asking | None:
    """How a run asked for its answers, and the tasks' version; None: its log does not say."""
    if run.settings is None or run.chat_template is None:
        return None
    try:
        queries = query_set_fingerprint(_queries(run, run.settings))
    except ValueFlowError:  # a file of queries that is not here
        return None
    generation = {key: run.generation[key] for key in sorted(run.generation)}
    return [queries, user_turn("{query}"), run.chat_template, generation, run.results_version]


def _queries(run: Run, settings: Settings) -> list[Query]:
    """The queries that were put: a run of some of them is no run of the whole set."""
    part = run.limit is not None or run.chosen
    put = {one.query_id for one in run.answers}
    return [one for one in settings.query_set() if not part or one.id in put]


def settings_of(runs: Sequence[Run]) -> dict[str, str]:
    """The setting of every run, by its id: what asked, judged and measured alike shares one.

    A setting does not say which values were measured. Where runs measured the same value with two
    versions of its panel, the later ones have a setting of their own.
    """
    rulers: dict[str, dict[str, dict[str, str]]] = {}
    found: dict[str, str] = {}
    for run in runs:
        setting, own = _setting(run), panels_of(run)
        known = rulers.setdefault(setting, {})
        fitting = (
            name
            for name, panels in known.items()
            if all(panels.get(value, panel) == panel for value, panel in own.items())
        )
        name = next(fitting, fingerprint([setting, own]) if known else setting)
        known.setdefault(name, {}).update(own)
        found[run.id] = name
    return found


def panels_of(run: Run) -> dict[str, str]:
    """Fingerprints of the panels that a run was measured with, by value."""
    return {
        value: str(estimate["panel"])
        for one in run.answers
        for value, estimate in one.estimates.items()
        if estimate.get("panel")
    }


def _setting(run: Run) -> str:
    asked = asking(run)
    if asked is None or run.settings is None or run.judge_profile is None:
        return run.protocol or run.id
    return fingerprint([asked, run.judge_profile, _design(run.settings)])


def _design(settings: Settings) -> tuple[Any, ...]:
    s = settings
    return (s.k, s.m, s.design, s.seed, s.compat, s.target_stderr)


def protocol_of(run: Run, panels: Mapping[str, str]) -> str | None:
    """Fingerprint of a run's protocol for some values: `Settings.protocol` from what it says.

    Args:
        run: Any run of the protocol.
        panels: Fingerprints of the values' panels, by value.

    Returns:
        None where the run does not say enough.
    """
    asked = asking(run)
    if asked is None or run.settings is None or run.judge_profile is None:
        return None
    return _protocol(dict(panels), run.judge_profile, _design(run.settings), asked)


def value_protocol(
    run: Run, value: str, panel: str | None, profile: str | None, asked: Asking | None
) -> str | None:
    """`Settings.protocol((value,), …)` from what the log says, without a judge or a panel."""
    if asked is None or panel is None or profile is None or run.settings is None:
        return None
    return _alone(value, panel, profile, _design(run.settings), json.dumps(asked))


@cache
def _alone(value: str, panel: str, profile: str, design: tuple[Any, ...], asked: str) -> str:
    return _protocol({value: panel}, profile, design, json.loads(asked))


def _protocol(panels: dict[str, str], profile: str, design: tuple[Any, ...], asked: Asking) -> str:
    queries, *rest = asked
    return fingerprint([queries, fingerprint([panels, profile, *design]), *rest])
