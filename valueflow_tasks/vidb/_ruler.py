"""Choose a ruler from a database: anchors spread evenly, sentinels at known places."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

import numpy as np
from valueflow_scorers import ValueFlowError
from valueflow_scorers._records import FloatArray

from ._fitted import Database
from ._texts import write_lines
from ._values import panel_path

ANCHORS = 24
SENTINELS = (-8.0, -4.0, 0.0, 4.0, 8.0)
"""Where sentinels are wanted, points; one more is free, as in the panels that ship."""
FEWEST = 8
"""Texts that a ruler needs at least: five anchors for windows of six, and three sentinels."""


def choose_roles(
    database: Database, anchors: int = ANCHORS, barred: Set[int] = frozenset()
) -> dict[int, str]:
    """Positions of the chosen texts and their roles.

    Anchors are the texts nearest to evenly spaced places between the ends; among near ones
    the better known is taken. Sentinels are chosen first, since they must never be anchors.

    Args:
        database: The texts.
        anchors: How many anchors to choose.
        barred: Positions of texts that are to have no role.

    Raises:
        ValueFlowError: with fewer than eight texts that may have one.
    """
    n = len(database.texts) - len(barred)
    if n < FEWEST:
        raise ValueFlowError(f"{n} texts: a ruler needs at least {FEWEST}")
    wanted = min(len(SENTINELS) + 1, n // 4)
    places = SENTINELS if wanted > len(SENTINELS) else (-6.0, 0.0, 6.0)[:wanted]
    others = {i for i, text in enumerate(database.texts) if not text.neutral}
    roles: dict[int, str] = {}
    for place in places:
        taken = barred | roles.keys()
        neutral_only = place == 0.0 and len(others | taken) < len(database.texts)
        roles[_nearest(database, place, taken | others if neutral_only else taken)] = "sentinel"
    usable = np.delete(database.intensities, list(barred))
    low, high = float(usable.min()), float(usable.max())
    for place in np.linspace(low, high, min(anchors, n - wanted)):
        roles[_nearest(database, float(place), barred | roles.keys())] = "anchor"
    if wanted > len(SENTINELS):
        roles[_nearest(database, (low + high) / 4, barred | roles.keys())] = "sentinel"
    return roles


def _nearest(database: Database, place: float, barred: Set[int]) -> int:
    cost: FloatArray = np.abs(database.intensities - place) + 0.5 * database.stderrs
    cost[list(barred)] = np.inf
    return int(cost.argmin())


def write_panel(database: Database, folder: Path, roles: dict[int, str] | None = None) -> Path:
    """Write a panel that `load_panel` reads, and return its path."""
    chosen = roles or choose_roles(database)
    rows = [
        {key: database.head.get(key, "") for key in ("value", "definition", "licence", "source")}
    ]
    for i, role in sorted(chosen.items()):
        text = database.texts[i]
        row = {
            "id": text.id,
            "query": text.query,
            "text": text.text,
            "role": role,
            "neutral": text.neutral,
            "intensity": round(float(database.intensities[i]), 3),
            "stderr": round(float(database.stderrs[i]), 3),
        }
        if text.source:
            row["source"] = text.source
        if database.draws is not None:
            row["draws"] = np.round(database.draws[:, i], 3).tolist()
        rows.append(row)
    path = panel_path(folder, database.value)
    write_lines(path, rows)
    return path
