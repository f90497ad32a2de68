"""From what a judge says about panel texts to its profile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ._calibration import RankedTexts, fit_noise
from ._choice import LetterData, fit_letters
from ._errors import ValueFlowError
from ._estimate import estimate
from ._estimated import JudgedWindow
from ._judging import judge_all, ranked
from ._misreading import believed_omegas, text_evidence
from ._profile import JudgeProfile
from ._records import Anchor, Judgement, Panel, Response, Window
from ._windows import draw_window
from .judges import ResolvedJudge


@dataclass(frozen=True)
class Calibration:
    """A profile, and the windows that it was fitted from."""

    profile: JudgeProfile
    """The judge's measured errors."""
    judged: tuple[tuple[Window, Judgement], ...] = ()
    """Every calibration window with what was said of it."""


async def fit_ranker(
    resolved: ResolvedJudge,
    panels: Sequence[Panel],
    k: int,
    seed: int,
    layout: str,
    drawn: Sequence[tuple[list[int], Window]],
) -> Calibration:
    """Show a judge that orders the windows that were drawn, and fit its errors."""
    said = await judge_all(resolved.judge, [window for _, window in drawn])
    judgements = [one.checked(k) for one in said]
    found: dict[str, list[tuple[list[int], Judgement]]] = {}
    failures: Counter[str] = Counter()
    for (members, window), judgement in zip(drawn, judgements, strict=True):
        if ranked(judgement) is None:
            failures[judgement.failure or "no order"] += 1
        else:
            found.setdefault(window.value, []).append((members, judgement))
    if not found:
        raise ValueFlowError(
            f"the judge {resolved.name!r} failed all {len(drawn)} calibration windows: "
            f"{dict(failures)}"
        )
    windows = tuple(zip((window for _, window in drawn), judgements, strict=True))
    judged = [panel for panel in panels if panel.value in found]
    noise = fit_noise(judged, {value: _as_orders(rows) for value, rows in found.items()}, k)
    as_orders = JudgeProfile(
        resolved.name,
        resolved.prompt_version,
        noise.tau,
        noise.slot_bias,
        noise.omegas,
        probabilities_as="order",
        layout=layout,
        calibrated=True,
        windows=len(drawn),
        failures=dict(failures),
        panels=noise.panels,
    )
    if any(one.order is not None for rows in found.values() for _, one in rows):
        return Calibration(replace(as_orders, probabilities_as="log-ratio"), windows)
    letters = fit_letters(judged, {value: _as_letters(rows) for value, rows in found.items()}, k)
    as_ratios = replace(
        as_orders,
        probabilities_as="log-ratio",
        slope=letters.slope,
        residual=letters.residual,
        tau=letters.residual,
        omegas=letters.omegas,
        slot_bias=letters.slot_bias,
        panels=letters.panels,
    )
    best = await _better(resolved, judged, [as_ratios, as_orders], k, seed, layout)
    return Calibration(best, windows)


def _as_orders(rows: Sequence[tuple[list[int], Judgement]]) -> RankedTexts:
    texts, slots = [], []
    for members, judgement in rows:
        order = ranked(judgement) or ()
        texts.append([members[slot] for slot in order])
        slots.append(list(order))
    return RankedTexts(np.array(texts), np.array(slots))


def _as_letters(rows: Sequence[tuple[list[int], Judgement]]) -> LetterData:
    return LetterData(
        np.array([members for members, _ in rows]),
        np.array([judgement.probabilities for _, judgement in rows]),
    )


async def _better(
    resolved: ResolvedJudge,
    panels: Sequence[Panel],
    profiles: Sequence[JudgeProfile],
    k: int,
    seed: int,
    layout: str,
) -> JudgeProfile:
    """Of several profiles the one under which sentinels are placed best, by RMSE."""
    windows: list[Window] = []
    known: list[tuple[Panel, Anchor]] = []
    for panel in panels:
        for text in panel.sentinels or panel.anchors:
            response = Response(text.text, text.query, text.key)
            known.append((panel, text))
            windows.extend(
                draw_window(panel, response, number, k=k, design="bucket", seed=seed, layout=layout)
                for number in range(3)
            )
    judgements = await judge_all(resolved.judge, windows)
    judged = [JudgedWindow.of(*pair) for pair in zip(windows, judgements, strict=True)]
    errors = []
    for profile in profiles:
        squares = [
            (one.intensity - text.intensity) ** 2
            for i, (panel, text) in enumerate(known)
            for one in estimate(panel, profile, {text.key: judged[3 * i : 3 * i + 3]})
            if one.scored
        ]
        errors.append(float(np.mean(squares)) if squares else float("inf"))
    return profiles[int(np.argmin(errors))]


async def fit_reader(
    resolved: ResolvedJudge, panels: Sequence[Panel], k: int, seed: int
) -> Calibration:
    """Have a judge that reads read the sentinels, and fit what it errs beyond its own sd."""
    known = [(panel, text) for panel in panels for text in panel.sentinels or panel.anchors]
    asked = [
        draw_window(
            panel, Response(text.text, text.query, text.key), 0, k=k, design="random", seed=seed
        )
        for panel, text in known
    ]
    said = await judge_all(resolved.judge, asked)
    judgements = [one.checked(k) for one in said]
    errors, variances = [], []
    failures: Counter[str] = Counter()
    for (_, text), judgement in zip(known, judgements, strict=True):
        if judgement.reading is None:
            failures[judgement.failure or "no reading"] += 1
            continue
        value, sd = judgement.reading
        errors.append(value - text.intensity)
        variances.append(sd**2 / (1 - judgement.doubt) + text.stderr**2)
    if not errors:
        raise ValueFlowError(
            f"the judge {resolved.name!r} failed all {len(asked)} readings: {dict(failures)}"
        )
    omegas = believed_omegas(text_evidence(np.array(errors), np.array(variances)))
    profile = JudgeProfile(
        resolved.name,
        resolved.prompt_version,
        omegas=omegas,
        calibrated=True,
        windows=len(asked),
        failures=dict(failures),
    )
    return Calibration(profile, tuple(zip(asked, judgements, strict=True)))


def own_profile(
    panel: Panel, judge: str, judged: Mapping[str, Sequence[JudgedWindow]], k: int
) -> JudgeProfile:
    """A profile from a call's own windows: the order of the anchors among themselves."""
    position = {text.key: i for i, text in enumerate(panel.texts)}
    texts, slots = [], []
    reads = False
    for windows in judged.values():
        for window in windows:
            reads |= window.judgement.reading is not None
            if window.judgement.order is not None and len(window.items) == k:
                order = [slot for slot in window.judgement.order if slot != window.slot]
                slots.append(order)
                texts.append([position[window.items[slot]] for slot in order])
    if reads or not texts or k < 3:
        return JudgeProfile(judge, omegas=(0.0,)) if reads else JudgeProfile(judge)
    data = {panel.value: RankedTexts(np.array(texts), np.array(slots))}
    noise = fit_noise([panel], data, k)
    return JudgeProfile(
        judge,
        tau=noise.tau,
        slot_bias=noise.slot_bias,
        omegas=noise.omegas,
        windows=len(texts),
        panels=noise.panels,
    )
