"""From judged windows to intensities, all responses of a panel at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ._collector import collector_at_rest
from ._errors import ValueFlowError
from ._estimated import IntensityEstimate, JudgedWindow
from ._forms import Windows
from ._plackett_luce import GRID, INSIDE, label_sensitivity, log_likelihood, staged
from ._posterior import normalised, smoothed_moments
from ._profile import JudgeProfile
from ._records import FloatArray, Panel
from ._sentences import sentences_of

_NO_FAILURES: Mapping[str, int] = {}  # shared: most responses have none
_NO_SENTENCES: Mapping[str, int] = {}
_LEAST = 1e-9  # sum of sensitivities from which they can be told from rounding
_BATCH = 1024  # responses worked on at a time: tables then stay small


def estimate(
    panel: Panel,
    profile: JudgeProfile,
    judged: Mapping[str, Sequence[JudgedWindow]],
    sentences: Mapping[str, Mapping[str, int]] | None = None,
) -> list[IntensityEstimate]:
    """Intensities of many responses from their judged windows.

    Args:
        panel: The ruler that the windows were drawn from.
        profile: The judge's measured errors.
        judged: Windows by response id.
        sentences: Of each response by its id, as `sentence_words` tells them; None: all differ.

    Returns:
        One estimate per response, in the order of `judged`.

    Raises:
        ValueFlowError: if a window names a text the panel lacks, or the profile does not
            belong to this panel or window size.
    """
    view = profile.view(panel)
    ids = list(judged)
    results: list[IntensityEstimate] = []
    with collector_at_rest():
        for start in range(0, len(ids), _BATCH):
            batch = {name: judged[name] for name in ids[start : start + _BATCH]}
            results.extend(_estimate_batch(panel, profile, view, batch, sentences or {}))
    return results


def _estimate_batch(
    panel: Panel,
    profile: JudgeProfile,
    view: tuple[FloatArray, FloatArray],
    judged: Mapping[str, Sequence[JudgedWindow]],
    sentences: Mapping[str, Mapping[str, int]],
) -> list[IntensityEstimate]:
    locations, covariance = view
    ids = list(judged)
    windows_by_form = Windows(panel, profile, judged)
    stages = [
        staged(rankings, locations, profile.tau, profile.bias(size))
        for size, rankings in windows_by_form.rankings().items()
    ]
    table = np.zeros((len(ids), len(GRID)))
    for one in stages:
        table += log_likelihood(one, len(ids))
    reading_sd = windows_by_form.add_readings(table)
    sensitivities = windows_by_form.add_letters(table, locations)
    posterior = normalised(table[:, INSIDE])
    for one in stages:
        sensitivities += label_sensitivity(one, posterior, len(locations))
    heard = windows_by_form.heard
    label_variance = np.einsum("ni,ni->n", sensitivities @ covariance, sensitivities)
    label_error = np.sqrt(np.maximum(label_variance, 0.0))
    # Of the posterior mean, whose moves the ends of the scale hold back. The likelihood itself,
    # which the means of cells are made from, moves by a point when all labels do.
    total = sensitivities.sum(axis=1, keepdims=True)
    np.divide(sensitivities, total, out=sensitivities, where=total > _LEAST)
    mean, sd = smoothed_moments(table, label_error, profile.omegas)
    misreading = np.hypot(profile.omega, reading_sd)
    results = []
    marks = (panel.fingerprint, profile.fingerprint)
    for index, name in enumerate(ids):
        windows = tuple(judged[name])
        failures = windows_by_form.failures.get(index, _NO_FAILURES)
        found = index in heard
        results.append(
            IntensityEstimate(
                intensity=float(mean[index]) if found else math.nan,
                stderr=float(sd[index]) if found else math.nan,
                windows=windows,
                failures=failures,
                reason=None if found else _why(windows, failures),
                response_id=name,
                sentences=sentences.get(name, _NO_SENTENCES),
                value=panel.value,
                panel=marks[0],
                profile=marks[1],
                label_error=float(label_error[index]),
                omegas=profile.omegas,
                misreading=float(misreading[index]),
                reading=bool(reading_sd[index] > 0),
                log_likelihood=table[index] if found else None,
                sensitivities=sensitivities[index] if found else None,
                label_covariance=covariance,
            )
        )
    return results


def _why(windows: Sequence[JudgedWindow], failures: Mapping[str, int]) -> str:
    """The reason of a response that no window gave a verdict on."""
    if not windows:
        return "no windows"
    reasons = ", ".join(f"{reason} ({count})" for reason, count in sorted(failures.items()))
    return f"all {len(windows)} windows failed: {reasons}"


def reestimate(
    panel: Panel, profile: JudgeProfile, saved: Sequence[Mapping[str, Any]]
) -> list[IntensityEstimate]:
    """Recompute saved estimates of one value, likelihoods included.

    Args:
        panel: The panel that they were measured with.
        profile: The profile that they were measured with.
        saved: What `IntensityEstimate.to_dict` returned; response ids may repeat.

    Returns:
        One estimate per entry, in the same order.

    Raises:
        ValueFlowError: if panel or profile are not the ones named in an entry.
    """
    judged: dict[str, list[JudgedWindow]] = {}
    for number, entry in enumerate(saved):
        for kind, own in (("panel", panel.fingerprint), ("profile", profile.fingerprint)):
            if entry[kind] != own:
                raise ValueFlowError(
                    f"estimate of {entry['response_id']!r} was made with {kind} {entry[kind]}, "
                    f"not {own}: pass the {kind} it names"
                )
        judged[str(number)] = [JudgedWindow.from_dict(window) for window in entry["windows"]]
    sentences = {str(number): sentences_of(entry) for number, entry in enumerate(saved)}
    fresh = estimate(panel, profile, judged, sentences)
    return [
        replace(
            new,
            response_id=str(entry["response_id"]),
            reason=None if new.scored else entry.get("reason", new.reason),
        )
        for new, entry in zip(fresh, saved, strict=True)
    ]
