"""From a prediction of intensity to a reading, when some texts are opaque to the predictor.

Some texts say openly where they stand and are predicted well; of others a predictor sees nothing.
Predictions given the intensity are a mixture,
``p(x | t) = share N(a t + c, s) + (1 - share) N(c, r)``, fitted by maximum likelihood to
predictions of texts with known labels; where that explains them no better than one line does, the
line stands. As a likelihood of t this is a normal one around ``(x - c) / a`` beside a flat one
whose weight is the reading's doubt: small where a prediction is far from neutral, large near it,
where neutral and opaque texts look alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm

from .._plackett_luce import GRID
from .._records import FloatArray, Judgement

_WIDEST = 60.0  # sd of a reading that says nothing, points
_SURE = 5.0  # nats by which the mixture must be better than one line
_WIDTH = float(GRID[-1] - GRID[0])
_STARTS = ((0.5, 1.7), (0.8, 1.2))  # share, and slope relative to that of one line


@dataclass(frozen=True)
class Clarity:
    """How predictions go with intensities."""

    share: float
    """Of texts that are read openly; 1: one line for all."""
    slope: float
    """Prediction per point of intensity, of those."""
    sd: float
    """Around their line, points of prediction."""
    opaque_sd: float
    """Of predictions of the others."""
    offset: float
    """Prediction of a neutral text."""

    @classmethod
    def fit(cls, predictions: FloatArray, labels: FloatArray) -> Clarity:
        """Maximum likelihood.

        Args:
            predictions: Of texts that taught the predictor nothing, [n].
            labels: Their intensities, points, [n].
        """
        slope, offset = (float(one) for one in np.polyfit(labels, predictions, 1))
        sd = float(np.sqrt(np.mean((predictions - offset - slope * labels) ** 2)))
        line = cls(1.0, slope, sd, sd, offset)
        if slope * _WIDEST <= sd:
            return line
        least = math.log(sd) - 3

        def loss(x: FloatArray) -> float:
            return -float(_unpacked(x).log_likelihood(predictions, labels).sum())

        found = [
            minimize(
                loss,
                [
                    math.log(share / (1 - share)),
                    steeper * slope,
                    math.log(sd),
                    math.log(sd),
                    offset,
                ],
                method="L-BFGS-B",
                bounds=[(-4, 4), (1e-3, None), (least, None), (least, None), (None, None)],
            )
            for share, steeper in _STARTS
        ]
        best = min(found, key=lambda one: float(one.fun))
        better = -float(best.fun) - float(line.log_likelihood(predictions, labels).sum())
        return _unpacked(best.x) if better > _SURE else line

    def log_likelihood(self, predictions: FloatArray, labels: FloatArray) -> FloatArray:
        """Log density of predictions given intensities, [n]."""
        opened = norm.logpdf(predictions, self.offset + self.slope * labels, self.sd)
        if self.share == 1:
            return np.asarray(opened)
        opaque = norm.logpdf(predictions, self.offset, self.opaque_sd)
        return np.logaddexp(math.log(self.share) + opened, math.log1p(-self.share) + opaque)

    def judgement(self, prediction: float) -> Judgement:
        """The reading of a text, and how likely it is to say nothing."""
        if self.slope * _WIDEST <= self.sd:
            return Judgement(reading=(0.0, _WIDEST))
        reading = ((prediction - self.offset) / self.slope, self.sd / self.slope)
        if self.share == 1:
            return Judgement(reading=reading)
        opaque = (1 - self.share) * float(norm.pdf(prediction, self.offset, self.opaque_sd))
        odds = opaque * _WIDTH * self.slope / self.share
        return Judgement(reading=reading, doubt=odds / (1 + odds))


def _logit(share: float) -> float:
    return math.log(share / (1 - share))


def _unpacked(x: FloatArray) -> Clarity:
    share = 1 / (1 + math.exp(-float(x[0])))
    return Clarity(share, float(x[1]), math.exp(float(x[2])), math.exp(float(x[3])), float(x[4]))
