"""From judgements to a database of intensities, on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from valueflow_scorers import ValueFlowError
from valueflow_scorers._records import FloatArray

from ._comparisons import Comparisons
from ._fit import Fit, fit
from ._judgements import JudgementFile, comparisons
from ._scale import Scaled, scale
from ._texts import Text, TextFile, write_lines

LABEL_DRAWS = 32
"""Plausible label sets, as panels carry them."""
MOST_DRAWN = 20_000
"""Databases of more texts carry no label sets: 32 numbers per text would outweigh the texts."""


@dataclass(frozen=True)
class Database:
    """Texts with intensities for one value."""

    head: Mapping[str, Any]
    """Value, definition, licence, source and what the intensities rest on."""
    texts: tuple[Text, ...]
    """The texts."""
    intensities: FloatArray
    """[texts], points."""
    stderrs: FloatArray
    """[texts], points."""
    draws: FloatArray | None = field(default=None, repr=False)
    """Plausible label sets, [draws, texts], points."""

    @property
    def value(self) -> str:
        """The value."""
        return str(self.head["value"])

    def save(self, path: Path) -> None:
        """Write as JSON Lines: the head, then a line per text."""
        rows: list[dict[str, Any]] = [dict(self.head)]
        for i, text in enumerate(self.texts):
            row = text.to_dict()
            row["intensity"] = round(float(self.intensities[i]), 3)
            row["stderr"] = round(float(self.stderrs[i]), 3)
            if self.draws is not None:
                row["draws"] = np.round(self.draws[:, i], 3).tolist()
            rows.append(row)
        write_lines(path, rows)

    @classmethod
    def load(cls, path: Path) -> Database:
        """Read what `save` wrote, or a panel file.

        Raises:
            ValueFlowError: if the file is no database, with its line.
        """
        head: dict[str, Any] = {}
        rows: list[dict[str, Any]] = []
        try:
            lines = path.read_text("utf-8").splitlines()
        except OSError as error:
            raise ValueFlowError(f"cannot read {path}: {error.strerror}") from None
        for number, line in enumerate(lines, 1):
            try:
                entry = json.loads(line)
                if "text" in entry:
                    rows.append({**entry, "intensity": float(entry["intensity"])})
                else:
                    head.update(entry)
            except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
                raise ValueFlowError(f"{path}, line {number}: no rated text ({error})") from None
        if "value" not in head or not rows:
            raise ValueFlowError(
                f"{path} is no database: expected a head with 'value' and lines with 'text' and "
                "'intensity', as `valueflow vidb fit` writes them"
            )
        drawn = all("draws" in row for row in rows)
        return cls(
            head,
            tuple(_text(row, number) for number, row in enumerate(rows)),
            np.array([row["intensity"] for row in rows]),
            np.array([float(row.get("stderr", 0.0)) for row in rows]),
            np.array([row["draws"] for row in rows]).T if drawn else None,
        )


def _text(row: Mapping[str, Any], number: int) -> Text:
    return Text(
        str(row.get("id", f"t{number:06d}")),
        str(row["text"]),
        row.get("query"),
        bool(row.get("neutral", False)),
        str(row.get("source") or ""),
        str(row.get("direction") or ""),
    )


def build(
    texts: TextFile,
    files: Sequence[JudgementFile],
    *,
    licence: str = "",
    source: str = "",
    drop_unreachable: bool = False,
) -> Database:
    """Fit judgements and place the texts on the scale.

    Args:
        texts: The texts that were ranked.
        files: Judgements of one value, of one or more judges.
        licence: Terms under which the texts may be used.
        source: Where texts and labels come from.
        drop_unreachable: Leave out texts that no chain of comparisons reaches.

    Raises:
        ValueFlowError: if texts are out of reach, naming them; or with fewer than four
            neutral reference texts.
    """
    data = comparisons(texts, files)
    lost = set(data.unreachable().tolist())
    if lost and not drop_unreachable:
        names = [texts.texts[i].id for i in sorted(lost)]
        raise ValueFlowError(
            f"{len(names)} of {data.n} texts are out of reach of the comparisons: "
            f"{', '.join(names[:10])}{', …' if len(names) > 10 else ''}. Rank more windows "
            "(a larger --repeats), or leave them out with --drop-unreachable"
        )
    if lost:
        kept = tuple(text for i, text in enumerate(texts.texts) if i not in lost)
        texts, reachable = TextFile(kept, texts.skipped), {text.id for text in kept}
        data = comparisons(texts, [_within(file, reachable) for file in files])
    found = fit(data)
    drawn = LABEL_DRAWS if data.n <= MOST_DRAWN else 0
    scaled = scale(found, texts.neutral, drawn)
    first = files[0].head
    head = {
        "value": first.get("value", ""),
        "definition": first.get("definition", ""),
        "licence": licence,
        "source": source or _source(data),
        "fit": _facts(data, found, scaled),
    }
    return Database(head, texts.texts, scaled.intensities, scaled.stderrs, scaled.draws)


def _within(file: JudgementFile, ids: set[str]) -> JudgementFile:
    kept = {
        place: order
        for place, order in file.orders.items()
        if set(file.plans[place[0]][1][place[1]]) <= ids
    }
    return JudgementFile(file.path, file.head, file.plans, kept, file.failures)


def _source(data: Comparisons) -> str:
    return f"ranked by {', '.join(data.judges)} in {data.windows} windows"


def _facts(data: Comparisons, found: Fit, scaled: Scaled) -> dict[str, Any]:
    """What the intensities rest on; noise and bias in points."""
    factor = scaled.factor
    return {
        "windows": data.windows,
        "judges": {
            name: {
                "noise": round(factor * float(found.noises[i]), 4),
                "slot_bias": np.round(factor * found.slot_bias[i], 4).tolist(),
            }
            for i, name in enumerate(data.judges)
        },
        "population_sd": round(factor * found.population_sd, 4),
        "mean_stderr": round(float(scaled.stderrs.mean()), 4),
        "cut": scaled.cut,
    }
