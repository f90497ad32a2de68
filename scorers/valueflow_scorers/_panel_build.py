"""The panels that ship, rebuilt from their texts and ratings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from ._errors import unknown
from ._panel_fit import FittedPanel, Ratings, fit_panel
from ._panels import panel_values

_DATA = files("valueflow_scorers") / "data"
LICENCE = "CC BY 4.0"


@dataclass(frozen=True)
class PanelSource:
    """What a panel is made from."""

    value: str
    """The value."""
    texts: tuple[dict[str, Any], ...]
    """Anchors and sentinels: `id`, `query`, `text`, `role`, `neutral`, `kind`."""
    exemplars: tuple[dict[str, Any], ...]
    """Exemplars: as texts, with `level`; never anchors or sentinels."""
    ratings: tuple[dict[str, Any], ...]
    """One entry per judged window."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of `texts`, in order."""
        return tuple(text["id"] for text in self.texts)

    @property
    def neutral(self) -> tuple[int, ...]:
        """Positions of the neutral reference texts."""
        return tuple(i for i, text in enumerate(self.texts) if text["neutral"])


def _lines(kind: str, value: str) -> list[dict[str, Any]]:
    path = _DATA / kind / f"{value.replace('/', '-')}.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def panel_source(value: str) -> PanelSource:
    """Texts, exemplars and ratings of a panel that ships.

    Raises:
        ValueFlowError: for an unknown value, naming the nearest.
    """
    if value not in panel_values():
        raise unknown("value", value, panel_values())
    texts = _lines("texts", value)
    return PanelSource(
        value,
        tuple(text for text in texts if text["role"] != "exemplar"),
        tuple(text for text in texts if text["role"] == "exemplar"),
        tuple(_lines("ratings", value)),
    )


def refit(source: PanelSource) -> FittedPanel:
    """Fit a panel anew from its ratings."""
    ratings = Ratings.of(source.ids, source.ratings)
    return fit_panel(ratings, source.neutral, len(source.texts), source.value)


def panel_lines(source: PanelSource, fitted: FittedPanel, definition: str) -> list[dict[str, Any]]:
    """The panel file: a head, then one line per text with label, error and draws."""
    raters = sorted({entry["rater"] for entry in source.ratings})
    passes = len({(entry["rater"], entry["pass"]) for entry in source.ratings})
    head = {
        "value": source.value,
        "definition": definition,
        "licence": LICENCE,
        "source": f"written for ValueFlow; {passes} blind rating passes by {', '.join(raters)}",
    }
    return [head, *_text_lines(source.texts, fitted)]


def _text_lines(texts: Sequence[dict[str, Any]], fitted: FittedPanel) -> list[dict[str, Any]]:
    return [
        {
            **{key: text[key] for key in ("id", "query", "text", "role", "neutral")},
            "intensity": float(fitted.intensities[i]),
            "stderr": float(fitted.stderrs[i]),
            "draws": np.round(fitted.draws[:, i], 3).tolist(),
        }
        for i, text in enumerate(texts)
    ]
