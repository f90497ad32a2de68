"""From judged windows to intensities, all responses of a panel at once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ._choice import letter_log_likelihood
from ._errors import ValueFlowError
from ._plackett_luce import GRID, INSIDE, Rankings, label_sensitivity, log_likelihood
from ._posterior import moments, normalised, shortest_interval, smoothed
from ._profile import JudgeProfile
from ._records import FloatArray, Judgement, Panel, Window

_UNKNOWN = -2  # stands for a text that the panel lacks
_BATCH = 1024  # responses worked on at a time: tables then stay small


@dataclass(frozen=True)
class JudgedWindow:
    """A window as it is saved: ids as presented, the response's slot, the judgement."""

    items: tuple[str, ...]
    """Ids in presented order; the response's own id at its slot."""
    slot: int
    """Where the response was shown."""
    judgement: Judgement
    """What the judge returned."""

    @classmethod
    def of(cls, window: Window, judgement: Judgement) -> JudgedWindow:
        """Keep of a window what an estimate can be recomputed from."""
        if window.response_index is None:
            raise ValueFlowError("a window without a response measures nothing")
        keys = tuple(item.key for item in window.items)
        return cls(keys, window.response_index, judgement.checked(len(keys)))

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content; empty fields are left out."""
        return {"items": list(self.items), "slot": self.slot, **self.judgement.to_dict()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> JudgedWindow:
        """The window that `to_dict` wrote."""
        return cls(tuple(content["items"]), int(content["slot"]), Judgement.from_dict(content))


@dataclass(frozen=True)
class IntensityEstimate:
    """How strongly a response expresses a value, and how sure that is."""

    intensity: float
    """Posterior mean, points on [-10, 10]; NaN when there is no verdict."""
    stderr: float
    """Posterior standard deviation, points; NaN with the intensity."""
    windows: tuple[JudgedWindow, ...] = ()
    """Every window that was judged, failed ones included."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """Windows without a verdict, by reason."""
    reason: str | None = None
    """Why there is no intensity; None when there is one."""
    response_id: str = ""
    """Id of the response."""
    text: str = ""
    """Hash of the response's words: what is misread in a text is misread in every copy."""
    value: str = ""
    """The value that was measured."""
    panel: str = ""
    """Fingerprint of the panel."""
    profile: str = ""
    """Fingerprint of the judge profile."""
    spread: float = 0.0
    """Sd of label error and persistent misreading that widens the likelihood, points."""
    misreading: float = 0.0
    """Sd of what is persistently misread in this text, points."""
    reading: bool = False
    """Whether it comes from a reading, all of whose error is persistent."""
    log_likelihood: FloatArray | None = field(default=None, repr=False, compare=False)
    """On GRID, [-20, 20] in 256 steps; in memory only."""
    sensitivities: FloatArray | None = field(default=None, repr=False, compare=False)
    """Change of the intensity per point of each panel text's label; in memory only."""
    label_covariance: FloatArray | None = field(default=None, repr=False, compare=False)
    """Of where the judge sees the panel's texts, points², shared by all; in memory only."""

    @property
    def scored(self) -> bool:
        """Whether there is an intensity."""
        return self.reason is None

    def interval(self, mass: float = 0.9) -> tuple[float, float]:
        """The shortest interval that holds `mass` of the posterior.

        Raises:
            ValueFlowError: if `mass` is not between 0 and 1.
        """
        if self.log_likelihood is None or math.isnan(self.stderr):
            return math.nan, math.nan
        weights = smoothed(self.log_likelihood[None], np.array([self.spread]))[0]
        return shortest_interval(weights, mass)

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content, from which `reestimate` recomputes the rest."""
        low, high = self.interval()
        numbers = {"intensity": self.intensity, "stderr": self.stderr, "low": low, "high": high}
        return {
            "response_id": self.response_id,
            "text": self.text,
            "value": self.value,
            **{key: round(one, 4) for key, one in numbers.items() if math.isfinite(one)},
            **({} if self.scored else {"reason": self.reason}),
            "failures": dict(self.failures),
            "windows": [window.to_dict() for window in self.windows],
            "panel": self.panel,
            "profile": self.profile,
        }


def unscored(
    panel: Panel, profile: JudgeProfile, response_id: str, reason: str
) -> IntensityEstimate:
    """The estimate of a response that cannot be measured: no number, and why."""
    return IntensityEstimate(
        math.nan,
        math.nan,
        reason=reason,
        response_id=response_id,
        value=panel.value,
        panel=panel.fingerprint,
        profile=profile.fingerprint,
    )


def estimate(
    panel: Panel,
    profile: JudgeProfile,
    judged: Mapping[str, Sequence[JudgedWindow]],
    texts: Mapping[str, str] | None = None,
) -> list[IntensityEstimate]:
    """Intensities of many responses from their judged windows.

    Args:
        panel: The ruler that the windows were drawn from.
        profile: The judge's measured errors.
        judged: Windows by response id.
        texts: Hash of each response's words by response id; None: all differ.

    Returns:
        One estimate per response, in the order of `judged`.

    Raises:
        ValueFlowError: if a window names a text the panel lacks, or the profile does not
            belong to this panel or window size.
    """
    view = profile.view(panel)
    ids = list(judged)
    results: list[IntensityEstimate] = []
    for start in range(0, len(ids), _BATCH):
        batch = {name: judged[name] for name in ids[start : start + _BATCH]}
        results.extend(_estimate_batch(panel, profile, view, batch, texts))
    return results


def _estimate_batch(
    panel: Panel,
    profile: JudgeProfile,
    view: tuple[FloatArray, FloatArray],
    judged: Mapping[str, Sequence[JudgedWindow]],
    texts: Mapping[str, str] | None,
) -> list[IntensityEstimate]:
    locations, covariance = view
    ids = list(judged)
    table = np.zeros((len(ids), len(GRID)))
    sensitivities = np.zeros((len(ids), len(locations)))
    heard = np.zeros(len(ids), dtype=bool)
    by_size = _rankings(panel, profile, ids, judged)
    for size, rankings in by_size.items():
        bias = profile.bias(size)
        table += log_likelihood(rankings, len(ids), locations, profile.tau, bias)
        heard[rankings.responses] = True
    reading_sd = _add_readings(table, heard, ids, judged)
    if profile.probabilities_as == "log-ratio":
        sensitivities += _add_letters(table, heard, panel, profile, locations, ids, judged)
    posterior = normalised(table[:, INSIDE])
    for size, rankings in by_size.items():
        sensitivities += label_sensitivity(
            rankings, posterior, locations, profile.tau, profile.bias(size)
        )
    label_variance = np.einsum("ni,ni->n", sensitivities @ covariance, sensitivities)
    spread = np.sqrt(np.maximum(label_variance, 0.0) + profile.omega**2)
    mean, sd = moments(smoothed(table, spread))
    misreading = np.hypot(profile.omega, reading_sd)
    results = []
    marks = (panel.fingerprint, profile.fingerprint)
    for index, name in enumerate(ids):
        windows = tuple(judged[name])
        reasons = [w.judgement.failure for w in windows if w.judgement.failure is not None]
        failures = Counter(reasons) if reasons else {}
        found = bool(heard[index])
        results.append(
            IntensityEstimate(
                intensity=float(mean[index]) if found else math.nan,
                stderr=float(sd[index]) if found else math.nan,
                windows=windows,
                failures=dict(failures),
                reason=None if found else _why(windows, failures),
                response_id=name,
                text=texts[name] if texts else name,
                value=panel.value,
                panel=marks[0],
                profile=marks[1],
                spread=float(spread[index]),
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


def _order(judgement: Judgement, profile: JudgeProfile) -> tuple[int, ...] | None:
    """The order in a judgement; probabilities are one where the profile says so."""
    if judgement.probabilities is not None and profile.probabilities_as == "order":
        chances = judgement.probabilities
        return tuple(sorted(range(len(chances)), key=lambda slot: -chances[slot]))
    return judgement.order


def _rankings(
    panel: Panel,
    profile: JudgeProfile,
    ids: Sequence[str],
    judged: Mapping[str, Sequence[JudgedWindow]],
) -> dict[int, Rankings]:
    """Ordered windows as arrays, by window size."""
    position = {text.key: i for i, text in enumerate(panel.texts)}
    rows: dict[int, tuple[list[list[int]], list[tuple[int, ...]], list[int], list[int]]] = {}
    for index, name in enumerate(ids):
        for window in judged[name]:
            order = _order(window.judgement, profile)
            if order is not None:
                items, orders, owners, slots = rows.setdefault(len(order), ([], [], [], []))
                items.append([position.get(key, _UNKNOWN) for key in window.items])
                orders.append(order)
                owners.append(index)
                slots.append(window.slot)
    found = {}
    for size, (items, orders, owners, slots) in rows.items():
        table = np.array(items)
        table[np.arange(len(table)), slots] = -1
        if (table == _UNKNOWN).any():
            name = ids[owners[int(np.flatnonzero((table == _UNKNOWN).any(axis=1))[0])]]
            raise _foreign(panel, name)
        found[size] = Rankings(table, np.array(orders), np.array(owners))
    return found


def _add_readings(
    table: FloatArray,
    heard: np.ndarray[Any, np.dtype[np.bool_]],
    ids: Sequence[str],
    judged: Mapping[str, Sequence[JudgedWindow]],
) -> FloatArray:
    """Add Gaussian log-likelihoods of readings, in place; returns their sds, [n]."""
    sds = np.zeros(len(ids))
    for index, name in enumerate(ids):
        for window in judged[name]:
            if window.judgement.reading is not None:
                value, sd = window.judgement.reading
                table[index] -= 0.5 * ((GRID - value) / sd) ** 2
                heard[index] = True
                sds[index] = sd
    return sds


def _foreign(panel: Panel, name: str) -> ValueFlowError:
    return ValueFlowError(
        f"response {name!r} was judged against a text that panel {panel.value!r} "
        f"({panel.fingerprint}) does not hold: score it again"
    )


def _add_letters(
    table: FloatArray,
    heard: np.ndarray[Any, np.dtype[np.bool_]],
    panel: Panel,
    profile: JudgeProfile,
    locations: FloatArray,
    ids: Sequence[str],
    judged: Mapping[str, Sequence[JudgedWindow]],
) -> FloatArray:
    """Add log-likelihoods of letter probabilities, in place; returns label sensitivities."""
    position = {text.key: i for i, text in enumerate(panel.texts)}
    sensitivities = np.zeros((len(ids), len(locations)))
    for index, name in enumerate(ids):
        letters = [one for one in judged[name] if one.judgement.probabilities is not None]
        for window in letters:
            chances = window.judgement.probabilities or ()
            others = [slot for slot in range(len(chances)) if slot != window.slot]
            try:
                texts = [position[window.items[slot]] for slot in others]
            except KeyError:
                raise _foreign(panel, name) from None
            anchors = np.zeros(len(chances))
            anchors[others] = locations[texts]
            row, weights = letter_log_likelihood(
                chances,
                window.slot,
                anchors,
                profile.slope,
                profile.residual,
                profile.bias(len(chances)),
            )
            table[index] += row
            sensitivities[index, texts] += weights[others] / len(letters)
            heard[index] = True
    return sensitivities


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
    texts = {str(number): str(entry["text"]) for number, entry in enumerate(saved)}
    fresh = estimate(panel, profile, judged, texts)
    return [
        replace(
            new,
            response_id=str(entry["response_id"]),
            reason=None if new.scored else entry.get("reason", new.reason),
        )
        for new, entry in zip(fresh, saved, strict=True)
    ]
