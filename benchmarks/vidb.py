"""Measure the workshop of rulers: `python -m benchmarks.vidb` prints one JSON object.

Judges are simulated with known truth. `--quick` runs everything small, to see that it works.
Sections: `ranking` (active against uniform, for an even and a normal spread of true
intensities), `fit` (time and memory), `choix` (agreement), `faults` (planted in a database), `ray`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from valueflow_scorers import load_panel, panel_values

from valueflow_tasks.vidb._comparisons import Block, Comparisons
from valueflow_tasks.vidb._findings import find
from valueflow_tasks.vidb._fit import fit
from valueflow_tasks.vidb._rank import Ranking
from valueflow_tasks.vidb._rank_settings import RankSettings
from valueflow_tasks.vidb._rerank import rerank
from valueflow_tasks.vidb._scale import scale, strong_place
from valueflow_tasks.vidb._sources import Rated
from valueflow_tasks.vidb._texts import Text, TextFile, write_lines

TARGET_RMSE = 1.0
NEUTRAL = 100


def true_intensities(shape: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Known truth whose unit follows the scale's own rule; the first NEUTRAL texts are 0."""
    truth = rng.uniform(-1, 1, n) if shape == "even" else rng.standard_normal(n)
    truth[:NEUTRAL] = 0.0
    return np.clip(truth * 9 / strong_place(truth), -10, 10)


def rank_until(
    shape: str, active: bool, n: int, repeats: int, folder: Path
) -> list[dict[str, Any]]:
    """Rank and note, after every round, how far the scale is from truth."""
    rng = np.random.default_rng(0)
    truth = true_intensities(shape, n, rng)
    texts = TextFile(tuple(Text(f"t{i}", f"text {i}", neutral=i < NEUTRAL) for i in range(n)), ())
    path = folder / f"truth-{shape}.jsonl"
    known = zip(texts.texts, truth, strict=True)
    write_lines(path, [{"text": one.text, "intensity": float(x)} for one, x in known])
    judge = f"simulated:noise=2:truth={path}"
    settings = RankSettings("svt/power", "", judge, 2, repeats, active=active, batch=4096)
    ranking = Ranking(texts, folder / f"{shape}-{active}.jsonl", settings)
    found: list[dict[str, Any]] = []

    def note(_: str) -> None:
        assert ranking.fitted is not None
        scaled = scale(ranking.fitted, texts.neutral)
        error = scaled.intensities - truth
        found.append(
            {
                "windows": len(ranking.file.orders),
                "rmse": round(float(np.sqrt(np.mean(error**2))), 4),
                "spearman": round(float(spearmanr(scaled.intensities, truth)[0]), 4),
                "coverage_90": round(float(np.mean(np.abs(error) < 1.645 * scaled.stderrs)), 4),
                "mean_stderr": round(float(scaled.stderrs.mean()), 4),
            }
        )
        if found[-1]["rmse"] <= TARGET_RMSE:
            raise StopIteration

    with contextlib.suppress(StopIteration):
        ranking.run(report=note)
    return found


def ranking_section(quick: bool, folder: Path) -> dict[str, Any]:
    """Windows that active and uniform ranking need for the same RMSE."""
    n, repeats = (600, 30) if quick else (10_000, 60)
    section: dict[str, Any] = {"texts": n, "k": 2, "noise": 2}
    for shape in ("even", "normal"):
        arms = {
            name: rank_until(shape, active, n, repeats, folder)[-1]
            for name, active in (("active", True), ("uniform", False))
        }
        share = arms["active"]["windows"] / arms["uniform"]["windows"]
        section[shape] = {**arms, "share_of_uniform_windows": round(share, 3)}
    return section


def fit_section(quick: bool) -> dict[str, Any]:
    """Time and memory of fits, each in a process of its own."""
    sizes = [(10_000, 100_000)] if quick else [(100_000, 1_000_000), (1_000_000, 10_000_000)]
    return {
        f"{n} texts, {windows} windows": json.loads(
            subprocess.run(
                [sys.executable, "-m", "benchmarks.vidb", "--fit", str(n), str(windows)],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )
        for n, windows in sizes
    }


def fit_once(n: int, windows: int) -> dict[str, Any]:
    """One fit of random pairs of normal texts with a population sd of twice the noise."""
    rng = np.random.default_rng(0)
    truth = 2 * rng.standard_normal(n).astype(np.float32)
    one = rng.integers(0, n, windows, dtype=np.int32)
    other = ((one + rng.integers(1, n, windows, dtype=np.int32)) % n).astype(np.int32)
    first = truth[one] - truth[other] + rng.logistic(size=windows).astype(np.float32) > 0
    texts = np.where(first[:, None], np.stack([one, other], 1), np.stack([other, one], 1))
    slots = np.where(first[:, None], [0, 1], [1, 0]).astype(np.int8)
    judges = np.zeros(windows, dtype=np.int16)
    data = Comparisons(n, (Block(texts.astype(np.int32), slots, judges),), ("",))
    # Pairs drawn with replacement leave a few texts unseen: they are tied in.
    lost = data.unreachable()
    if len(lost):
        extra = np.stack([lost, (lost + 1) % n], 1).astype(np.int32)
        texts = np.concatenate([texts, extra]).astype(np.int32)
        slots = np.concatenate([slots, np.tile([[0, 1]], (len(lost), 1))]).astype(np.int8)
        judges = np.zeros(len(texts), dtype=np.int16)
        data = Comparisons(n, (Block(texts, slots, judges),), ("",))
    start, spent = time.time(), time.process_time()
    found = fit(data)
    error = found.utilities - truth
    return {
        "seconds": round(time.time() - start, 1),
        "cpu_seconds": round(time.process_time() - spent, 1),
        "stated_mb": round(data.bytes_needed() / 1e6),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
        "population_sd": round(found.population_sd, 3),
        "coverage_90": round(float(np.mean(np.abs(error) < 1.645 * np.sqrt(found.variances))), 4),
    }


def choix_section() -> dict[str, Any]:
    """Largest difference from choix's penalised maximum likelihood."""
    import choix

    rng, worst = np.random.default_rng(0), 0.0
    for k in (2, 3, 5):
        utilities = 1.5 * rng.standard_normal(12)
        orders = []
        for _ in range(120):
            window = rng.choice(12, k, replace=False)
            orders.append((window, np.argsort(-(utilities[window] + rng.gumbel(size=k)))))
        data = Comparisons.of(12, [(w.tolist(), o.tolist(), 0) for w, o in orders])
        own = fit(data, population_sd=0.1**-0.5, slots=False, mode=True, tolerance=1e-11)
        theirs = choix.opt_rankings(12, [tuple(w[o]) for w, o in orders], alpha=0.05, tol=1e-12)
        worst = max(worst, float(np.abs(own.utilities - theirs).max()))
    return {"largest_difference": worst}


def sentences() -> list[str]:
    """Real, distinct sentences: those of the panels that ship."""
    found = dict.fromkeys(
        one
        for value in panel_values()
        for text in load_panel(value).texts
        for one in re.split(r"(?<=[.!?])\s+", text.text)
        if len(one.split()) >= 5
    )
    return list(found)


def nearly(text: str, rng: random.Random) -> str:
    """The text with one word dropped, added, swapped or misspelt, or in other case."""
    words = text.split()
    at = rng.randrange(len(words) - 1)
    how = rng.choice(["drop", "add", "swap", "typo", "case"])
    if how == "drop":
        words.pop(at)
    elif how == "add":
        words.insert(at, rng.choice(["really", "perhaps", "then"]))
    elif how == "swap":
        words[at], words[at + 1] = words[at + 1], words[at]
    elif how == "typo":
        words[at] = words[at][:-1] + rng.choice("xyz")
    else:
        words = [word.upper() for word in words]
    return " ".join(words)


def faults_section(quick: bool, folder: Path) -> dict[str, Any]:
    """Plant faults in a database of real sentences with made-up labels, and count what is found."""
    rng, texts = random.Random(0), sentences()
    rng.shuffle(texts)
    size = 100 if quick else 600
    values = ["svt/power", "svt/security", "mft/care", "mft/liberty"]
    label = np.random.default_rng(0)
    database: dict[str, list[Rated]] = {}
    truth: list[dict[str, Any]] = []
    flipped: dict[str, set[int]] = {}
    for number, value in enumerate(values):
        own = texts[number * size : (number + 1) * size]
        true = np.round(np.clip(label.normal(0, 5, size), -10, 10), 1)
        truth += [{"text": one, "intensity": float(x)} for one, x in zip(own, true, strict=False)]
        given = np.clip(np.round(true + label.normal(0, 1, size), 1), -10, 10)
        flipped[value] = set(rng.sample(range(size), size // 20))
        for i in flipped[value]:
            given[i] = -given[i]
        database[value] = [Rated(one, float(x)) for one, x in zip(own, given, strict=False)]
    database["mft/liberty"] = [
        Rated(own.text, other.label)
        for own, other in zip(database["mft/liberty"], database["mft/care"], strict=False)
    ]
    planted = {}
    for value in values[:2]:
        rows = database[value]
        for i in rng.sample(range(size), size // 10):
            planted[value, len(rows)] = i
            rows.append(Rated(nearly(rows[i].text, rng), rows[i].label))
    start = time.time()
    findings = find(database)
    seconds = time.time() - start
    pairs = {
        (value, pair["texts"][1]): pair["texts"][0]  # type: ignore[index]
        for value in values
        for pair in findings.values[value]["duplicate_pairs"]  # type: ignore[attr-defined]
    }
    path = folder / "truth-faults.jsonl"
    write_lines(path, truth)
    reranked = {
        value: rerank(value, "", database[value][:size], f"simulated:noise=1.5:truth={path}",
                      folder / f"faults-{number}.jsonl", sample=size // 2)
        for number, value in enumerate(values[:3])
    }  # fmt: skip
    strong, found, false, sound = 0, 0, 0, 0
    for value, again in reranked.items():
        wrong = flipped[value] & set(again.texts)
        telling = {i for i in wrong if abs(database[value][i].label) >= 4}
        strong, found = strong + len(telling), found + len(telling & set(again.flipped))
        sound += len(again.texts) - len(wrong)
        false += len(set(again.flipped) - wrong)
    return {
        "copied_lists_planted": 1,
        "copied_lists_found": sum(set(c["values"]) == {"mft/care", "mft/liberty"}
                                  for c in findings.copied),
        "copied_lists_false": sum(set(c["values"]) != {"mft/care", "mft/liberty"}
                                  for c in findings.copied),
        "near_duplicates_planted": len(planted),
        "near_duplicates_found": sum(key in pairs for key in planted),
        "near_duplicates_false": sum(key not in planted for key in pairs),
        "texts": sum(map(len, database.values())),
        "check_seconds": round(seconds, 1),
        "reranked": sum(len(again.texts) for again in reranked.values()),
        "strong_flips": strong,
        "strong_flips_found": found,
        "sound_texts": sound,
        "flips_false": false,
        "label_error_planted": 1.0,
        "label_error_found": [round(again.label_error, 3) for again in reranked.values()],
        "mappings": [[round(a.offset, 3), round(a.slope, 3)] for a in reranked.values()],
    }  # fmt: skip


def ray_section(folder: Path) -> dict[str, Any]:
    """Kill a judging worker in the middle of a ranking on a local Ray."""
    try:
        import ray  # noqa: F401
    except ImportError:
        return {"skipped": "Ray is not installed"}
    from benchmarks.vidb_ray import rank_with_a_killed_worker

    return rank_with_a_killed_worker(folder)


def main() -> None:
    """Run all sections, or those that are named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--fit", nargs=2, type=int)
    parser.add_argument("--only", choices=["ranking", "fit", "choix", "faults", "ray"])
    given = parser.parse_args()
    if given.fit:
        print(json.dumps(fit_once(*given.fit)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sections = {
            "choix": choix_section,
            "fit": lambda: fit_section(given.quick),
            "faults": lambda: faults_section(given.quick, folder),
            "ray": lambda: ray_section(folder),
            "ranking": lambda: ranking_section(given.quick, folder),
        }
        chosen = [given.only] if given.only else list(sections)
        print(json.dumps({one: sections[one]() for one in chosen}, indent=1))


if __name__ == "__main__":
    main()
