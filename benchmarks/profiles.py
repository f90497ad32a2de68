"""Profiles of planted authors: is what they stand for recovered, and do the intervals hold it?

`python -m benchmarks.profiles [--authors N]` prints one JSON object. Authors write texts of the
HiVES corpus's test situations, which trained nothing and set no distance. `named`: lines say
which value they are about. `found`: HiVES decides, and a judge reads a text on any value as it
reads it on its own (`alike`, the worst case), or reads it as neutral where it is about something
else (`apart`). Readings have a known error there; what is tested is which texts count, and what
the intervals say. `embedded` is the whole offline chain: texts that take sides, read as they are.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
from scipy.stats import spearmanr
from valueflow_scorers._estimated import IntensityEstimate
from valueflow_scorers._measure import Instrument
from valueflow_scorers._plackett_luce import GRID

from valueflow_tasks.hives import load_corpus
from valueflow_tasks.hives._corpus import LabelledText
from valueflow_tasks.profiles import ValueProfile, Written, profile_texts
from valueflow_tasks.profiles._fit import fit_profiles
from valueflow_tasks.profiles._readings import Read, Reading, built_from, weigh
from valueflow_tasks.theories import evaluated_values

STANCE_SD, STRAY_SD, ERROR_SD = 5.0, 2.0, 1.0
"""Points: of what authors stand for, of a text around it, of a reading."""
PER_VALUE = 8
"""Texts of an author about each value."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--authors", type=int, default=12)
    given = parser.parse_args()
    texts = load_corpus().part("test").texts
    by_value: dict[str, list[LabelledText]] = defaultdict(list)
    for text in texts:
        by_value[text.place.value].append(text)
    about = dict(
        zip(
            (text.text for text in texts),
            weigh([Written(text.text, "") for text in texts], evaluated_values(), "hives-mini"),
            strict=True,
        )
    )
    found: dict[str, Any] = {"benchmark": "profiles", "authors": given.authors}
    for how in ("named", "alike", "apart"):
        found[how] = summary([planted(seed, how, by_value, about) for seed in range(given.authors)])
    sides = summary([offline(seed, by_value) for seed in range(given.authors)])
    # What such an author stands for is a side and no number of points.
    found["embedded"] = {name: sides[name] for name in sides if name != "covered_of_90"}
    print(json.dumps(found))


Pair = tuple[Mapping[str, float], ValueProfile]
"""What an author stands for, and what was read."""


def planted(
    seed: int, how: str, by_value: Mapping[str, Sequence[LabelledText]], about: Mapping[str, Any]
) -> Pair:
    """An author whose texts are read with a known error."""
    rng = np.random.default_rng(seed)
    truth = {v: float(x) for v, x in _stances(rng).items()}
    readings, written = [], []
    for value, stands in truth.items():
        for place in rng.permutation(len(by_value[value]))[:PER_VALUE]:
            text = by_value[value][place]
            own = float(np.clip(stands + STRAY_SD * rng.standard_normal(), -9.9, 9.9))
            written.append(Written(text.text, "author"))
            wanted = {value: None} if how == "named" else about[text.text]
            for other, told in wanted.items():
                if not other.startswith(f"{text.place.theory}/"):
                    continue  # what it is about in other theories is not labelled
                here = own if how != "apart" or other == value else 0.0
                weight, far = (1.0, None) if told is None else (told.weight, told.distance)
                estimate = _reading(other, here + ERROR_SD * rng.standard_normal(), text.text)
                readings.append(Reading("author", other, weight, estimate, far))
    source = built_from(written, "planted", "planted", None)
    read = Read(tuple(readings), {"author": source}, {"author": len(written)}, {"author": {}})
    return truth, fit_profiles(read)["author"]


def _stances(rng: np.random.Generator) -> Mapping[str, float]:
    drawn = np.clip(STANCE_SD * rng.standard_normal(len(evaluated_values())), -9, 9)
    return dict(zip(evaluated_values(), drawn.tolist(), strict=True))


def _reading(value: str, seen: float, text: str) -> IntensityEstimate:
    return IntensityEstimate(
        float(np.clip(seen, -10, 10)), ERROR_SD, text=text, value=value, panel="p", profile="p",
        log_likelihood=-0.5 * ((GRID - seen) / ERROR_SD) ** 2,
        sensitivities=np.zeros(1), label_covariance=np.zeros((1, 1)),
    )  # fmt: skip


def offline(seed: int, by_value: Mapping[str, Sequence[LabelledText]]) -> Pair:
    """An author whose texts take sides, read by `embedded` on the values that HiVES finds."""
    rng = np.random.default_rng(seed)
    truth, written = {}, []
    for value in evaluated_values():
        side = int(rng.choice([-1, 1]))
        own = [text for text in by_value[value] if text.direction == side]
        truth[value] = float(side)
        written += [
            Written(own[i].text, "author") for i in rng.permutation(len(own))[: PER_VALUE // 2]
        ]
    return truth, profile_texts(written, Instrument())["author"]


def summary(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Spearman per author, coverage over all, and how wide the intervals are."""
    ranks, inside, halves, values = [], [], [], []
    for truth, profile in pairs:
        scores = profile.scores
        read = [one.intensity for one in scores.values()]
        ranks.append(float(spearmanr([truth[value] for value in scores], read).statistic))
        values.append(len(scores))
        for value, one in scores.items():
            low, high = one.interval()
            inside.append(low <= truth[value] <= high)
            halves.append((high - low) / 2)
    error = float(np.std(ranks, ddof=1) / np.sqrt(len(ranks)))
    return {
        "spearman": round(float(np.mean(ranks)), 3),
        "spearman_stderr": round(error, 3),
        "spearman_each": [round(one, 2) for one in ranks],
        "covered_of_90": round(float(np.mean(inside)), 3),
        "half_width_points": round(float(np.mean(halves)), 2),
        "values_read": round(float(np.mean(values)), 1),
    }


if __name__ == "__main__":
    main()
