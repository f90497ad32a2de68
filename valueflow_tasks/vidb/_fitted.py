"""From judgements to a database of intensities, on disk."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from valueflow_scorers import ValueFlowError
from valueflow_scorers._records import FloatArray

from ._agreement import check_agreement
from ._comparisons import Comparisons
from ._fit import Fit, fit
from ._judgements import JudgementFile, comparisons
from ._rows import lines_of, parsed
from ._scale import Scaled, scale
from ._texts import Text, TextFile, parse_text, write_lines

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
        texts: list[Text] = []
        numbers: list[tuple[float, float]] = []
        draws: list[list[float]] = []
        for number, line in enumerate(lines_of(path), 1):
            if not line.strip():
                continue
            try:
                entry = parsed(line)
                if "text" not in entry:
                    head.update(entry)
                    continue
                text = parse_text(entry, sys.maxsize)
                if isinstance(text, str):
                    raise ValueError(text)
                texts.append(text)
                numbers.append((_finite(entry["intensity"]), _finite(entry.get("stderr") or 0.0)))
                draws.append([_finite(one) for one in entry.get("draws") or ()])
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                raise ValueFlowError(f"{path}, line {number}: no rated text ({error})") from None
        if "value" not in head or not texts:
            raise ValueFlowError(
                f"{path} is no database: expected a head with 'value' and lines with 'text' and "
                "'intensity', as `valueflow vidb fit` writes them"
            )
        if len({len(one) for one in draws}) > 1:
            raise ValueFlowError(f"{path}: every text needs the same number of 'draws', or none")
        intensities, stderrs = np.array(numbers).T
        return cls(
            head, tuple(texts), intensities, stderrs, np.array(draws).T if draws[0] else None
        )


def _finite(raw: Any) -> float:
    number = float(raw)
    if not math.isfinite(number):
        raise ValueError(f"{raw!r} is no finite number")
    return number


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
        ValueFlowError: if the files do not belong together, or not to these texts; if texts
            are out of reach, naming them; or with fewer than four neutral reference texts.
    """
    check_agreement(texts, files)
    judged = sum(len(file.orders) for file in files)
    if drop_unreachable:
        files = [_within(file, set(texts.ids)) for file in files]
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
        texts, reachable = replace(texts, texts=kept), {text.id for text in kept}
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
        "fit": {**_facts(data, found, scaled), "windows_left_out": judged - data.windows},
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
