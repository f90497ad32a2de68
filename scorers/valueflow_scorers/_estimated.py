"""Judged windows and the intensities read from them, as they are saved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._errors import ValueFlowError
from ._posterior import shortest_interval, smoothed
from ._profile import JudgeProfile
from ._records import FloatArray, Judgement, Panel, Window


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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
    sentences: Mapping[str, int] = field(default_factory=dict)
    """Words of each of its sentences, by hash: what is misread in one is misread in every copy."""
    value: str = ""
    """The value that was measured."""
    panel: str = ""
    """Fingerprint of the panel."""
    profile: str = ""
    """Fingerprint of the judge profile."""
    label_error: float = 0.0
    """Sd that the errors of the panel's labels add, points."""
    omegas: tuple[float, ...] = (0.0,)
    """Equally likely sds of what the judge persistently misreads in a text, points."""
    misreading: float = 0.0
    """Sd of what is persistently misread in this text, points."""
    reading: bool = False
    """Whether it comes from a reading, all of whose error is persistent."""
    log_likelihood: FloatArray | None = field(default=None, repr=False, compare=False)
    """On GRID, [-20, 20] in 256 steps; in memory only."""
    sensitivities: FloatArray | None = field(default=None, repr=False, compare=False)
    """How far the likelihood moves per point of each panel text's label; in memory only."""
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
        weights = smoothed(self.log_likelihood[None], np.array([self.label_error]), self.omegas)[0]
        return shortest_interval(weights, mass)

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content, from which `reestimate` recomputes the rest."""
        low, high = self.interval()
        numbers = {"intensity": self.intensity, "stderr": self.stderr, "low": low, "high": high}
        return {
            "response_id": self.response_id,
            "sentences": dict(self.sentences),
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
