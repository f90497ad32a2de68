"""The mean intensity of a cell: many responses, one population.

Averages of posterior means shrink toward the middle of the scale. A cell's mean is instead
estimated from the marginal likelihood of its responses under a normal population,
``L(mu, sigma) = prod_i integral L_i(theta) N(theta; mu, sigma) d theta``, with theta on the
unclipped axis, mu on [-10, 10] and sigma integrated out under a half-Cauchy(2) prior. What
a judge persistently misreads in a response is part of sigma. Errors of the panel's labels
are shared by all responses and are added to first order, and so is what a judge misreads in
sentences that several responses have in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np

from ._errors import ValueFlowError
from ._estimated import IntensityEstimate
from ._plackett_luce import GRID, INSIDE, SCALE, STEP
from ._posterior import moments, normalised, shortest_interval
from ._records import SCALE_END, FloatArray
from ._sentences import sentence_loads

_SIGMAS = np.geomspace(0.25, 8.0, 11)
_SIGMA_SCALE = 2.0
_UNKNOWN_VARIANCE = (2 * SCALE_END) ** 2 / 12  # of the flat prior on the scale, points²


@cache
def _populations() -> tuple[FloatArray, FloatArray]:
    """Normal populations on GRID, [len(GRID), sigmas * means], and sigma's log prior."""
    z = (GRID[:, None, None] - SCALE[None, None, :]) / _SIGMAS[None, :, None]
    density = np.exp(-0.5 * z**2)
    density /= density.sum(axis=0, keepdims=True)
    log_prior = np.log(_SIGMAS) - np.log1p((_SIGMAS / _SIGMA_SCALE) ** 2)
    return density.reshape(len(GRID), -1), np.repeat(log_prior, len(SCALE))


@dataclass(frozen=True)
class CellMean:
    """Population mean of a cell's intensities."""

    mean: float
    """Points on [-10, 10]."""
    stderr: float
    """Standard error, label error of the panel included, points."""
    n: int
    """Scored responses that entered."""
    _weights: FloatArray = field(repr=False, compare=False, default_factory=lambda: np.empty(0))

    def interval(self, mass: float = 0.9) -> tuple[float, float]:
        """The shortest interval that holds `mass` of what is believed of the mean."""
        return shortest_interval(self._weights, mass)


@dataclass(frozen=True)
class CellDraws:
    """A cell's mean with its bootstrap replicates: all that metrics need of a cell."""

    point: float
    """The mean, points."""
    replicates: FloatArray
    """Of the mean, points, [replicates]."""
    label_gradient: FloatArray
    """Change of the mean per point of each panel text's label, [texts]."""
    label_covariance: FloatArray
    """Errors of those labels, points², [texts, texts]."""
    posterior_variance: float
    """Variance of what is believed of the mean, label error left out, points²."""
    own_variance: float
    """Variance of the mean that comes of errors of its responses alone, points²."""
    sentence_errors: Mapping[str, float]
    """By how much each sentence's misreading moves the mean, points, by its hash: what cells with
    the same sentences have in common."""


class _Errors(NamedTuple):
    """What the mean of a cell errs by."""

    own: float
    """See `CellDraws.own_variance`."""
    sentences: dict[str, float]
    """See `CellDraws.sentence_errors`."""
    apart: float
    """The variance if all errors were independent, points²."""

    @property
    def variance(self) -> float:
        """Points²."""
        return self.own + sum(load * load for load in self.sentences.values())

    @property
    def shared(self) -> float:
        """What of the variance is there because errors are not independent, points²."""
        return max(0.0, self.variance - self.apart)


class Cell:
    """The scored responses of one cell, ready to be averaged and resampled."""

    def __init__(self, estimates: Sequence[IntensityEstimate]) -> None:
        """Collect a cell.

        Args:
            estimates: Of one value, panel and profile; unscored ones are left out.

        Raises:
            ValueFlowError: if none is scored, or they were measured with different panels
                or profiles.
        """
        scored = [one for one in estimates if one.scored and one.log_likelihood is not None]
        if not scored:
            raise ValueFlowError(
                f"none of {len(estimates)} responses is scored (with its likelihood in memory): "
                "there is no mean; look at the reasons, or `reestimate` saved estimates first"
            )
        if len({(one.value, one.panel, one.profile) for one in scored}) > 1:
            raise ValueFlowError(
                "a cell mixes values, panels or judge profiles: average only estimates that "
                "were measured in the same way"
            )
        self.n = len(scored)
        self._sentences = [one.sentences for one in scored]
        self._misread = np.array([one.misreading**2 for one in scored])
        self._reading = np.array([one.reading for one in scored])
        self._likelihoods = np.stack([_relative(one) for one in scored])
        self._sensitivities = np.stack([one.sensitivities for one in scored])  # type: ignore[misc]
        covariance = scored[0].label_covariance
        self.label_covariance: FloatArray = (
            np.zeros((self._sensitivities.shape[1],) * 2) if covariance is None else covariance
        )

    @cached_property
    def _log_marginals(self) -> FloatArray:
        densities, _ = _populations()
        return np.log(np.clip(self._likelihoods @ densities, 1e-300, None))

    def posterior(self, counts: FloatArray | None = None) -> FloatArray:
        """What is believed of the mean if all errors are independent.

        Args:
            counts: How often each response enters, [replicates, n]; None: each once.

        Returns:
            Weights on SCALE, [replicates, len(SCALE)].
        """
        counts = np.ones((1, self.n)) if counts is None else counts
        # Single precision for replicates: their scatter is what is wanted, in a third of the time.
        kind = np.dtype("float32" if len(counts) > 1 else "float64")
        marginals, log_prior = self._log_marginals.astype(kind), _populations()[1].astype(kind)
        surface = counts.astype(kind) @ marginals + log_prior
        joint = normalised(surface).reshape(len(counts), len(_SIGMAS), len(SCALE))
        return np.asarray(joint.sum(axis=1), dtype=float)

    def mixture_posterior(self, shares: FloatArray, background: FloatArray) -> FloatArray:
        """What is believed of the mean when some responses may not belong to the cell.

        Each comes from the population with its probability, and from a background otherwise:
        ``L = prod_i (p_i integral L_i N(mu, sigma) + (1 - p_i) integral L_i B)``.

        Args:
            shares: Probability that each response belongs to it, in (0, 1], [n].
            background: Density of those that do not, weights on SCALE that sum to one.

        Returns:
            Weights on SCALE; error that texts share is in them, label error is not.
        """
        outside = np.log(np.clip(self._likelihoods[:, INSIDE] @ background, 1e-300, None))
        with np.errstate(divide="ignore"):  # a share of 1 leaves nothing to the background
            other = np.log1p(-shares) + outside
        mixed = np.logaddexp(np.log(shares)[:, None] + self._log_marginals, other[:, None])
        surface = normalised(mixed.sum(axis=0) + _populations()[1])
        apart = surface.reshape(len(_SIGMAS), len(SCALE)).sum(axis=0)
        belonging = np.exp(np.log(shares) + (self._log_marginals - mixed)[:, surface.argmax()])
        # The mean lies on the scale, whatever the judge may misread in all texts alike.
        believed = apart @ _kernel(self._errors(belonging).shared)
        return np.asarray(believed / believed.sum())

    def beliefs(self) -> FloatArray:
        """What is believed of each response by itself, under a flat prior, [n, len(SCALE)]."""
        inside = self._likelihoods[:, INSIDE]
        return np.asarray(inside / np.clip(inside.sum(axis=1, keepdims=True), 1e-300, None))

    def means(self, counts: FloatArray) -> FloatArray:
        """The mean of each bootstrap replicate, points, [replicates]."""
        return np.asarray(self.posterior(counts) @ SCALE)

    @cached_property
    def _own_variances(self) -> FloatArray:
        """Error variance of each response by itself, points², [n]."""
        inside = np.log(np.clip(self._likelihoods[:, INSIDE], 1e-300, None))
        return np.asarray(moments(normalised(inside))[1] ** 2 + 1e-6)

    @cached_property
    def _error_variances(self) -> FloatArray:
        """Error variance of each response's number, independent and persistent, points², [n]."""
        independent = np.where(self._reading, 0.0, self._own_variances)
        # No response can be less known than one of which nothing is known.
        return np.asarray(np.minimum(independent + self._misread + 1e-9, _UNKNOWN_VARIANCE))

    def _errors(self, belonging: FloatArray) -> _Errors:
        """What the mean errs by if all responses were equally strong.

        What a judge misreads in a sentence it misreads wherever it stands: with independent error
        variances V_i, persistent ones P_i, the share rho_ij of it that two texts have in common,
        and weights w_i = 1 / (V_i + P_i), the mean's variance is
        (sum_i w_i² V_i + sum_ij w_i w_j rho_ij sqrt(P_i P_j)) / (sum w_i)².

        Args:
            belonging: Probability that each response belongs to the cell, a factor of w_i, [n].
        """
        weights = belonging / self._error_variances
        weights = weights / weights.sum()
        persistent = np.minimum(self._misread, self._error_variances)
        loads, alone = sentence_loads(self._sentences, weights * np.sqrt(persistent))
        own = float(weights**2 @ (self._error_variances - persistent))
        return _Errors(own + alone, loads, float(weights**2 @ self._error_variances))

    @cached_property
    def _all_errors(self) -> _Errors:
        """Those of responses that all belong to it."""
        return self._errors(np.ones(self.n))

    @property
    def measurement_variance(self) -> float:
        """Variance that the mean would have if all responses were equally strong, points²."""
        return self._all_errors.variance

    @property
    def shared_error(self) -> float:
        """Variance of the mean that comes of what texts have in common, points²."""
        return self._all_errors.shared

    @cached_property
    def _moments(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of what is believed of the mean, points, [1] each."""
        return moments(self.posterior())

    @cached_property
    def posterior_variance(self) -> float:
        """Variance of what is believed of the mean, label error left out, points²."""
        return float(self._moments[1][0] ** 2) + self.shared_error

    @cached_property
    def label_gradient(self) -> FloatArray:
        """Change of the mean per point of each panel text's label, [texts].

        A label moves a response's likelihood, hence its marginal likelihood along mu, by its
        sensitivity s; ``d E[mu] / d s = -Cov(mu, d log L_i(mu, sigma) / d mu)``.
        """
        _, log_prior = _populations()
        shape = (self.n, len(_SIGMAS), len(SCALE))
        surface = self._log_marginals.sum(axis=0) + log_prior
        joint = normalised(surface[None])[0].reshape(shape[1:])
        slopes = np.gradient(self._log_marginals.reshape(shape), STEP, axis=2)
        lever = joint * (SCALE - (joint @ SCALE).sum())
        pulls = -np.einsum("sm,nsm->n", lever, slopes)
        return np.asarray(pulls @ self._sensitivities)

    def draws(self, counts: FloatArray) -> CellDraws:
        """The mean, how it scatters, and what its errors are made of.

        Args:
            counts: As in `posterior`.
        """
        return CellDraws(
            float(self._moments[0][0]),
            self.means(counts),
            self.label_gradient,
            self.label_covariance,
            self.posterior_variance,
            self._all_errors.own,
            self._all_errors.sentences,
        )

    def mean(self) -> CellMean:
        """The cell's mean with its standard error."""
        weights = self.posterior()[0]
        mean, sd = moments(weights[None])
        shared = float(self.label_gradient @ self.label_covariance @ self.label_gradient)
        shared += self.shared_error
        kernel = _kernel(shared)
        widened = weights @ (kernel / kernel.sum(axis=1, keepdims=True))
        return CellMean(float(mean[0]), float(np.sqrt(sd[0] ** 2 + shared)), self.n, widened)


def _kernel(variance: float) -> FloatArray:
    """What an error of this variance makes of each place on SCALE, [len(SCALE), len(SCALE)]."""
    return np.asarray(np.exp(-0.5 * (SCALE[:, None] - SCALE[None, :]) ** 2 / max(variance, 1e-4)))


def _relative(one: IntensityEstimate) -> FloatArray:
    row = one.log_likelihood
    assert row is not None
    return np.asarray(np.exp(row - row.max()))


def cell_mean(estimates: Sequence[IntensityEstimate]) -> CellMean:
    """Population mean of a cell (see the module's text for the model).

    Args:
        estimates: Of one value, panel and profile; unscored ones are left out.

    Returns:
        The mean with its standard error; `.interval(mass)` gives the shortest interval.

    Raises:
        ValueFlowError: if no estimate is scored, or they were not measured alike.
    """
    return Cell(estimates).mean()
