"""A judge's measured errors, frozen.

A judge errs in three ways: noise per window (the Gumbel scale `tau`), slot bias (`b`), and
a persistent misreading of texts (`delta`, normal with standard deviation `omega` on top of
the labels' own errors). They are measured once, on panel texts, and never from the run
that they are used in.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ._errors import ValueFlowError, unknown
from ._records import LAYOUTS, RESPONSE_LAST, SHUFFLED, FloatArray, Panel, fingerprint

PRIOR_TAU = 1.5
PRIOR_OMEGA = 1.0
READINGS = ("log-ratio", "order")
"""How a judge's probabilities can be read."""


@dataclass(frozen=True)
class PanelOffsets:
    """Where one judge sees the texts of one panel."""

    fingerprint: str
    """Of the panel."""
    offsets: tuple[float, ...]
    """Posterior mean of perceived minus labelled intensity per text, points, [texts]."""
    covariance: tuple[tuple[float, ...], ...]
    """Posterior covariance of the offsets, points², [texts, texts]."""


@dataclass(frozen=True)
class JudgeProfile:
    """A judge's measured noise, slot bias, persistent misreading and failure rates."""

    judge: str
    """Name of the judge that was measured."""
    prompt_version: str = ""
    """Version of the prompt it was measured under."""
    tau: float = PRIOR_TAU
    """Gumbel scale of the noise per window, points."""
    slot_bias: tuple[float, ...] = ()
    """Bias per slot, points, summing to zero, [k]; empty: none."""
    omegas: tuple[float, ...] = (PRIOR_OMEGA,)
    """Equally likely values of omega, the sd of the persistent misreading of a text, points."""
    slope: float = 1.0 / PRIOR_TAU
    """Log-probability per point, for judges that give probabilities."""
    residual: float = PRIOR_TAU
    """Sd of a log-probability around its line, points."""
    probabilities_as: str = "log-ratio"
    """How probabilities are read: `log-ratio`, or `order` where that errs less."""
    layout: str = SHUFFLED
    """How the items of the windows were presented; see `_records.LAYOUTS`."""
    calibrated: bool = False
    """False for the fixed prior, whose results are comparable to nothing."""
    windows: int = 0
    """How many calibration windows (or readings) it was fitted from."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """Calibration windows without a verdict, by reason."""
    panels: Mapping[str, PanelOffsets] = field(default_factory=dict)
    """Offsets by value, for the panels it was measured on."""

    def __post_init__(self) -> None:
        for name in ("tau", "slope", "residual"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueFlowError(
                    f"a judge profile with {name}={getattr(self, name)}: give a number > 0"
                )
        if not self.omegas or not all(0 <= omega < math.inf for omega in self.omegas):
            raise ValueFlowError(
                f"a judge profile with omegas={list(self.omegas)}: give one or more numbers >= 0"
            )
        if not all(map(math.isfinite, self.slot_bias)):
            raise ValueFlowError(
                f"a judge profile with slot_bias={list(self.slot_bias)}: give finite numbers"
            )
        if self.probabilities_as not in READINGS:
            raise unknown("probabilities_as", self.probabilities_as, READINGS)
        if self.layout not in LAYOUTS:
            raise unknown("layout", self.layout, LAYOUTS)

    @cached_property
    def fingerprint(self) -> str:
        """Identity of everything in the profile."""
        return fingerprint(self.to_dict())

    @cached_property
    def omega(self) -> float:
        """The sd of a text's misreading when all of `omegas` are taken together, points."""
        return float(np.sqrt(np.mean(np.square(self.omegas))))

    def bias(self, k: int) -> FloatArray:
        """Slot bias for windows of k items, points, [k].

        Raises:
            ValueFlowError: if the profile was measured with another k.
        """
        if not self.slot_bias:
            return np.zeros(k)
        if len(self.slot_bias) != k:
            raise ValueFlowError(
                f"the profile of {self.judge!r} was measured with k={len(self.slot_bias)} and "
                f"this run has k={k}: use k={len(self.slot_bias)} or calibrate again"
            )
        return np.asarray(self.slot_bias)

    def check_judge(self, judge: str, prompt_version: str) -> None:
        """Refuse to be used for a judge or prompt it was not measured on.

        Raises:
            ValueFlowError: naming both judges or versions.
        """
        if judge and self.judge and judge != self.judge:
            raise ValueFlowError(
                f"the profile describes the judge {self.judge!r}, not {judge!r}: pass that "
                "judge's own profile"
            )
        if self.calibrated and self.prompt_version != prompt_version:
            raise ValueFlowError(
                f"the profile of {self.judge!r} was measured with prompt version "
                f"{self.prompt_version!r}, this run uses {prompt_version!r}: calibrate again"
            )

    def check_layout(self, layout: str) -> None:
        """Refuse to be used for windows that are laid out in another way.

        Raises:
            ValueFlowError: naming both layouts.
        """
        if layout == RESPONSE_LAST and not self.calibrated:
            raise ValueFlowError(
                f"layout={RESPONSE_LAST!r} confounds the last slot with the response unless the "
                "judge was calibrated in it: run `valueflow judge calibrate --layout "
                f"{RESPONSE_LAST}`, or pass the profile of `fit_profile(..., "
                f"layout={RESPONSE_LAST!r})`"
            )
        if self.layout != layout:
            raise ValueFlowError(
                f"the profile of {self.judge!r} was measured with layout={self.layout!r} and "
                f"this run has layout={layout!r}: use layout={self.layout!r} or calibrate again"
            )

    def view(self, panel: Panel) -> tuple[FloatArray, FloatArray]:
        """Where this judge sees the panel's texts, and how surely.

        Returns:
            Locations [texts], points, and their covariance [texts, texts], points².

        Raises:
            ValueFlowError: if the profile was measured on another version of the panel.
        """
        labels = np.array([text.intensity for text in panel.texts])
        measured = self.panels.get(panel.value)
        if measured is None:
            return labels, panel.label_covariance + self.omega**2 * np.eye(len(labels))
        if measured.fingerprint != panel.fingerprint:
            raise ValueFlowError(
                f"the profile of {self.judge!r} was measured on panel {panel.value!r} "
                f"{measured.fingerprint}, not {panel.fingerprint}: calibrate on this panel"
            )
        return labels + np.asarray(measured.offsets), np.asarray(measured.covariance)

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content."""
        return {
            "judge": self.judge,
            "prompt_version": self.prompt_version,
            "tau": self.tau,
            "slot_bias": list(self.slot_bias),
            "omega": round(self.omega, 4),  # for readers: it follows from the next
            "omegas": list(self.omegas),
            "slope": self.slope,
            "residual": self.residual,
            "probabilities_as": self.probabilities_as,
            # Left out where it is shuffled: fingerprints from before there were layouts hold.
            **({} if self.layout == SHUFFLED else {"layout": self.layout}),
            "calibrated": self.calibrated,
            "windows": self.windows,
            "failures": dict(self.failures),
            "panels": {
                value: {
                    "fingerprint": seen.fingerprint,
                    "offsets": list(seen.offsets),
                    "covariance": [list(row) for row in seen.covariance],
                }
                for value, seen in self.panels.items()
            },
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> JudgeProfile:
        """The profile that `to_dict` wrote.

        Raises:
            ValueFlowError: if fields are missing, unknown or out of range.
        """
        try:
            panels = {
                value: PanelOffsets(
                    seen["fingerprint"],
                    tuple(seen["offsets"]),
                    tuple(tuple(row) for row in seen["covariance"]),
                )
                for value, seen in content["panels"].items()
            }
            lists = {key: tuple(content[key]) for key in ("slot_bias", "omegas")}
            derived = {"omega", "panels", *lists}
            scalars = {key: content[key] for key in content if key not in derived}
            return cls(**{**scalars, **lists, "panels": panels})
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueFlowError(
                f"this is no judge profile ({error}): make one with `valueflow judge calibrate`"
            ) from None

    def save(self, path: str | Path) -> None:
        """Write the profile as JSON, at once: nobody finds half of it."""
        path = Path(path)
        fresh = path.with_name(f"{path.name}.new")
        fresh.write_text(json.dumps(self.to_dict(), ensure_ascii=False) + "\n", "utf-8")
        os.replace(fresh, path)

    @classmethod
    def load(cls, path: str | Path) -> JudgeProfile:
        """Read a profile written by `save`.

        Raises:
            ValueFlowError: if the file is missing or holds no profile.
        """
        try:
            content = json.loads(Path(path).read_text("utf-8"))
            return cls.from_dict(content)
        except (OSError, ValueError) as error:  # no JSON, no UTF-8, no profile
            raise ValueFlowError(f"cannot read the judge profile {path}: {error}") from None
