"""A ruler in another language: fitted from its ratings, and compared with the one it translates.

The folder of a value of one's own then also holds `ratings.jsonl` in the form of the panels that
ship (orders and placements, `rater` and `pass`), and each line of `texts.jsonl` names in
`translates` the text of which it is a translation.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from valueflow_scorers import Panel, ValueFlowError, load_panel, panel_values
from valueflow_scorers._panel_build import PanelSource, panel_lines, refit
from valueflow_scorers._records import FloatArray

from ._rows import lines_of, parsed
from ._texts import write_lines
from ._values import TEXTS_FILE, OwnValue, load_value

RATINGS_FILE = "ratings.jsonl"
_RESAMPLED = 4000
_TAIL = 0.05  # of a 90 % interval


@dataclass(frozen=True)
class Compared:
    """Texts in two languages, each on the ruler of its own; differences are translation - original.

    Intervals hold the choice of texts and the scatter of the rating passes, and nothing else.
    """

    value: str
    """The translated value; `all` for several together."""
    texts: int
    """Pairs of texts."""
    difference: float
    """Mean difference of intensity, points."""
    interval: tuple[float, float]
    """Of the mean difference, 90 %, points."""
    distance: float
    """Mean absolute difference, points."""
    largest: float
    """Largest absolute difference, points."""
    slope: float
    """Points of the translation per point of the original (least squares)."""
    slope_interval: tuple[float, float]
    """90 %."""
    correlation: float
    """Pearson's r."""


def rated_source(value: OwnValue) -> PanelSource:
    """The texts and ratings in a folder.

    Raises:
        ValueFlowError: for a file that is missing or not of that form.
    """
    texts = tuple(_lines(value.folder / TEXTS_FILE))
    ratings = tuple(_lines(value.folder / RATINGS_FILE))
    for number, text in enumerate(texts, 1):
        if missing := {"id", "query", "text", "role", "neutral", "translates"} - set(text):
            raise ValueFlowError(
                f"{value.folder / TEXTS_FILE}, line {number}: {sorted(missing)} missing"
            )
    for number, entry in enumerate(ratings, 1):
        if missing := {"rater", "pass", "order", "line"} - set(entry):
            raise ValueFlowError(
                f"{value.folder / RATINGS_FILE}, line {number}: {sorted(missing)} missing"
            )
    return PanelSource(value.id, texts, (), ratings)


def write_rated_panel(folder: str | Path) -> Path:
    """Fit a folder's ruler from its ratings, as the panels that ship are; returns its path."""
    value = load_value(folder)
    source = rated_source(value)
    head, *rows = panel_lines(source, refit(source), value.node.definition)
    passes = len({(entry["rater"], entry["pass"]) for entry in source.ratings})
    raters = ", ".join(sorted({entry["rater"] for entry in source.ratings}))
    head["source"] = f"{value.node.source}; {passes} rating passes by {raters}"
    head["licence"] = value.licence
    write_lines(value.panel_file, [head, *rows])
    return value.panel_file


def compare_languages(folders: Sequence[str | Path]) -> list[Compared]:
    """Each folder's ruler against the one it translates, and all of them together.

    Raises:
        ValueFlowError: for a folder without a ruler, or a text whose original does not ship.
    """
    pairs = [_paired(load_value(folder)) for folder in folders]
    found = [_compared(value, [pair]) for value, pair in pairs]
    if len(pairs) > 1:
        found.append(_compared("all", [pair for _, pair in pairs]))
    return found


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        return [parsed(line) for line in lines_of(path) if line.strip()]
    except json.JSONDecodeError as error:
        raise ValueFlowError(f"{path} is no JSON Lines file: {error}") from None


@dataclass(frozen=True)
class _Pair:
    """Labels of the same texts in two languages, with plausible sets of each."""

    labels: FloatArray
    """Original and translation, [2, texts]."""
    draws: tuple[FloatArray, FloatArray]
    """Plausible label sets of each, [draws, texts]."""


def _paired(value: OwnValue) -> tuple[str, _Pair]:
    own = value.panel()
    names = {text["id"]: text["translates"] for text in rated_source(value).texts}
    originals = {one: _original(one) for one in names.values()}
    at = np.array([own.index(name) for name in names])
    labels = np.array([text.intensity for text in own.texts])[at]
    first = np.array(
        [panel.texts[i].intensity for panel, i in (originals[one] for one in names.values())]
    )
    panels = {panel.value: panel for panel, _ in originals.values()}
    if len(panels) != 1:
        raise ValueFlowError(f"{value.folder} translates texts of {sorted(panels)}: one value each")
    (panel,) = panels.values()
    places = np.array([originals[one][1] for one in names.values()])
    sets = (_draws(panel)[:, places], _draws(own)[:, at])
    return value.id, _Pair(np.stack([first, labels]), sets)


def _draws(panel: Panel) -> FloatArray:
    if panel.draws is not None:
        return np.asarray(panel.draws)
    return np.array([[text.intensity for text in panel.texts]])


def _original(name: str) -> tuple[Panel, int]:
    for value in panel_values():
        if name.startswith(f"{value.replace('/', '-')}-"):
            panel = load_panel(value)
            return panel, panel.index(name)
    raise ValueFlowError(f"{name!r} is no text of a panel that ships: correct 'translates'")


def _compared(value: str, pairs: Sequence[_Pair]) -> Compared:
    labels = np.concatenate([pair.labels for pair in pairs], axis=1)
    rng = np.random.default_rng(0)
    means, slopes = np.empty(_RESAMPLED), np.empty(_RESAMPLED)
    for i in range(_RESAMPLED):
        drawn = np.concatenate([_resampled(rng, pair) for pair in pairs], axis=1)
        means[i] = (drawn[1] - drawn[0]).mean()
        slopes[i] = np.polyfit(drawn[0], drawn[1], 1)[0]
    apart = labels[1] - labels[0]
    return Compared(
        value,
        labels.shape[1],
        float(apart.mean()),
        _interval(means),
        float(np.abs(apart).mean()),
        float(np.abs(apart).max()),
        float(np.polyfit(labels[0], labels[1], 1)[0]),
        _interval(slopes),
        float(np.corrcoef(labels)[0, 1]),
    )


def _resampled(rng: np.random.Generator, pair: _Pair) -> FloatArray:
    texts = rng.integers(0, pair.labels.shape[1], pair.labels.shape[1])
    return np.stack([draws[rng.integers(0, len(draws))][texts] for draws in pair.draws])


def _interval(values: FloatArray) -> tuple[float, float]:
    low, high = np.quantile(values, [_TAIL, 1 - _TAIL])
    return float(low), float(high)
