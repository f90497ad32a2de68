"""Measure a judge on panel texts, and find the profile of one that was measured."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from itertools import islice
from pathlib import Path

from ._calibration_windows import check_calibration, draw_calibration
from ._errors import ValueFlowError
from ._judging import judge_all
from ._panels import load_panel, panel_values
from ._portal import run_sync
from ._profile import JudgeProfile
from ._profile_fit import Calibration, fit_ranker, fit_reader
from ._records import RESPONSE_LAST, SHUFFLED, Judge, Panel, Response, Window, fingerprint
from ._windows import draw_window, is_reader, reads_no_windows
from .judges import ResolvedJudge, resolve_judge

CALIBRATION_WINDOWS = 640
"""Windows that a profile is fitted from unless told otherwise; tau fitted on a few is
useless (0.05 to 1.7 for a true 1 on one response's windows)."""
_PER_PANEL = 60  # windows; a panel has thirty texts
_PROBES = 8  # windows of each kind at most from which is told whether a judge reads or orders


def enough_windows(panels: int) -> int:
    """Windows that a judge is calibrated with on so many panels, unless told otherwise."""
    return max(CALIBRATION_WINDOWS, _PER_PANEL * panels)


def fit_profile(
    judge: Judge | str,
    panels: Sequence[Panel],
    *,
    k: int = 6,
    windows: int = CALIBRATION_WINDOWS,
    seed: int = 0,
    layout: str = SHUFFLED,
) -> JudgeProfile:
    """Measure a judge's noise, slot bias, persistent misreading and failure rate.

    A judge that orders is shown windows of panel texts and fitted on their order. A judge
    that reads is asked for the sentinels (or, on panels without, the anchors). Which of the two
    it is shows in its first verdict.

    Args:
        judge: A judge, or its name.
        panels: What to measure it on; all texts are used, sentinels included.
        k: Items per window.
        windows: How many windows in all; spread evenly over the panels.
        seed: Of the calibration windows.
        layout: Of the windows that the profile is for; with `response-last` a held-out text
            stands in the last slot, after anchors.

    Returns:
        A calibrated profile.

    Raises:
        ValueFlowError: before the judge is asked, if no panel is given, a panel is too small,
            or a number or the layout is out of range; if the judge fails every window; if a
            judge that reads is to be calibrated in the layout `response-last`.
    """
    return run_sync(
        lambda: afit_profile(judge, panels, k=k, windows=windows, seed=seed, layout=layout)
    )


async def afit_profile(
    judge: Judge | str,
    panels: Sequence[Panel],
    *,
    k: int = 6,
    windows: int = CALIBRATION_WINDOWS,
    seed: int = 0,
    layout: str = SHUFFLED,
) -> JudgeProfile:
    """Async twin of `fit_profile`."""
    found = await calibrated(judge, panels, k, windows, seed, layout)
    return found.profile


async def calibrated(
    judge: Judge | str, panels: Sequence[Panel], k: int, windows: int, seed: int, layout: str
) -> Calibration:
    """The profile of `fit_profile`, with what it was fitted from."""
    resolved = resolve_judge(judge, panels)
    check_calibration(resolved.name, panels, k, windows, layout)
    drawn = draw_calibration(panels, k, windows, seed, layout)
    if not await _reads(resolved, panels, k, seed, layout, drawn):
        return await fit_ranker(resolved, panels, k, seed, layout, drawn)
    if layout == RESPONSE_LAST:
        raise reads_no_windows(resolved.name)
    return await fit_reader(resolved, panels, k, seed)


async def _reads(
    resolved: ResolvedJudge,
    panels: Sequence[Panel],
    k: int,
    seed: int,
    layout: str,
    drawn: Sequence[tuple[list[int], Window]],
) -> bool:
    """Whether a judge gives readings; a failure says nothing, and more windows are asked.

    Windows with a response come first: a judge that reads can answer no others.
    """
    if is_reader(resolved.name):
        return True
    probes = [
        draw_window(panel, response, 0, k=k, design="random", seed=seed, layout=layout)
        for panel, response in _from_the_last(panels, _PROBES)
    ]
    failures: Counter[str] = Counter()
    orders = [window for _, window in drawn[:_PROBES]]
    for asked in (probes[:1], probes[1:], orders):
        judgements = await judge_all(resolved.judge, asked)
        verdicts = [one for one in judgements if one.failure is None]
        if verdicts:
            return any(one.reading is not None for one in verdicts)
        failures.update(one.failure or "" for one in judgements)
    raise ValueFlowError(
        f"the judge {resolved.name!r} failed all {failures.total()} windows that it was asked "
        f"first, and was asked no more: {dict(failures)}"
    )


def _from_the_last(panels: Sequence[Panel], count: int) -> list[tuple[Panel, Response]]:
    """Texts as responses: the last of every panel, then the last but one, up to `count`."""

    def texts() -> Iterator[tuple[Panel, Response]]:
        for back in range(1, count + 1):
            for panel in panels:
                if back <= len(panel.texts):
                    text = panel.texts[-back]
                    yield panel, Response(text.text, text.query, text.key)

    return list(islice(texts(), count))


def resolve_profile(
    judge: ResolvedJudge, k: int, profile: str = "auto", layout: str = SHUFFLED
) -> JudgeProfile:
    """The profile that harness tasks and `valueflow score` use for a judge.

    Args:
        judge: The judge.
        k: Items per window.
        profile: A path, or `auto`: the profile that ships for `embedded`, one fitted on the
            spot for `simulated`, the stored one for a judge that was calibrated on this
            machine, and the fixed prior, named uncalibrated, for any other.
        layout: Of the windows that will be judged.

    Raises:
        ValueFlowError: if the file holds no profile, or one of another judge or prompt.
    """
    if profile != "auto":
        chosen = JudgeProfile.load(profile)
        chosen.check_judge(judge.name, judge.prompt_version)
        return chosen
    if judge.name == "embedded":
        return _shipped_profile(judge.name)
    if judge.name.startswith("simulated"):
        return _simulated_profile(judge.name, k, layout)
    stored = stored_profile_path(judge.name, judge.prompt_version, k, layout)
    if stored.exists():
        return JudgeProfile.load(stored)
    return JudgeProfile(judge.name, judge.prompt_version)


def stored_profile_path(judge: str, prompt_version: str, k: int, layout: str = SHUFFLED) -> Path:
    """Where `valueflow judge calibrate` keeps a judge's profile.

    The environment variable VALUEFLOW_PROFILES, else the user's cache folder.
    """
    from platformdirs import user_cache_path

    given = os.environ.get("VALUEFLOW_PROFILES")
    folder = Path(given) if given else user_cache_path("valueflow") / "profiles"
    kind = [judge, prompt_version, k, *([] if layout == SHUFFLED else [layout])]
    return folder / f"{fingerprint(kind)}.json"


@cache
def _shipped_profile(name: str) -> JudgeProfile:
    path = files("valueflow_scorers") / "data" / "profiles" / f"{name}.json"
    return JudgeProfile.from_dict(json.loads(path.read_text("utf-8")))


@cache
def _simulated_profile(name: str, k: int, layout: str) -> JudgeProfile:
    # On all panels that ship, whatever is measured: an estimate must not depend on the rest
    # of its run. The truth file of a simulated judge plays no part in its errors.
    options = ":".join(part for part in name.split(":")[1:] if not part.startswith("truth="))
    panels = [load_panel(value) for value in panel_values()]
    fitted = fit_profile(f"simulated:{options}", panels, k=k, layout=layout)
    return replace(fitted, judge=name)
