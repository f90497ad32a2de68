"""The dial: ask for an intensity, get the dose that gives it, or hear that it is out of reach.

The dose-response curve is measured on calibration queries, made monotone (isotonic regression
over the doses, each mean weighted by its precision), and inverted by linear interpolation. The
stated interval is that of the mean over `n` new queries of the same kinds at the dose, with as
many answers each: the curve's own error, from bootstrap curves fitted in the same way, the spread
of new queries, and how far the curve may bend between two doses (as if anything up to that were as
likely), with the quantile of Student's t for as many queries, less their kinds.
Error of the panel's labels is not in it: the same ruler that made the dial reads the answer.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student
from valueflow_scorers import ValueFlowError

from ._answer import Sampling
from ._curve import bend, monotone, nearest_dose
from ._folder import Fitted
from ._spec import Promise
from ._trial import Trial

FORMAT = "valueflow-dial-2"
DRAWS = 1000
NEW_QUERIES = 70
"""Over how many new queries a stated interval holds: as many as `test` has."""
MOST_UNSCORED = 0.5
"""A dose of which a larger share of the answers has no number is left out of the curve."""
LEVELS_REACHED = 3.0
"""How far the dial reaches by default: three levels to either side."""


@dataclass(frozen=True)
class Setting:
    """Where the dial stands for an intensity."""

    asked: float
    """The intensity that was asked for, points."""
    dose: float
    """Coefficient in residual norms, or the level of a prompt."""
    level: float
    """The dose in levels."""
    expected: float
    """The intensity that the curve promises at the dose."""
    low: float
    """Lower end of the 90 % interval of the mean over new queries."""
    high: float
    """Upper end."""

    @property
    def half_width(self) -> float:
        """Stated error, points."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Dial:
    """A measured dose-response curve of one vector, or of the prompts, for one value."""

    value: str
    """The value."""
    arm: str
    """`vector` or `prompt`."""
    identity: str
    """Fingerprint of the vector; of the prompts the method."""
    judge: str
    """What measured."""
    profile: str
    """Fingerprint of its profile."""
    doses: tuple[float, ...]
    """Coefficients in residual norms, ascending; levels for prompts."""
    dose_per_level: float
    """What one level is worth."""
    means: tuple[float, ...]
    """Mean intensity measured at each dose, points."""
    scatters: tuple[float, ...]
    """Standard deviation of it over other queries of these kinds, read by the same judge, points:
    how badly the judge reads all of them is not in it."""
    curve: tuple[float, ...]
    """The monotone curve, points."""
    draws: tuple[tuple[float, ...], ...]
    """Monotone curves of bootstrap replicates over queries, [draws][doses]."""
    queries: int
    """Queries behind each mean, none of `test`."""
    model: str = ""
    """The model that was steered; empty: as the vector says."""
    samples: int = 1
    """Answers per query."""
    temperature: float = 0.0
    """At which they were drawn; 0: greedy."""
    kinds: int = 1
    """Kinds of queries."""

    @classmethod
    def from_trial(
        cls,
        trial: Trial,
        arm: str,
        identity: str,
        dose_per_level: float,
        judge: Any,
        model: str = "",
    ) -> Dial:
        """Fit the curve to measured answers.

        Args:
            trial: Answers at each dose.
            arm: `vector` or `prompt`.
            identity: Fingerprint of what steers.
            dose_per_level: What one level is worth.
            judge: The judge's profile.
            model: What was steered.

        Raises:
            ValueFlowError: for fewer than two queries, or fewer than three doses at which most
                answers are scored.
        """
        if len(trial.queries) < 2:
            raise ValueFlowError(
                f"a dial of {len(trial.queries)} query cannot tell how queries scatter: give two "
                "or more"
            )
        doses = tuple(dose for dose in trial.doses if trial.share_unscored(dose) <= MOST_UNSCORED)
        if len(doses) < 3:
            raise ValueFlowError(
                f"a dial needs three doses at which most answers can be measured; of "
                f"{[round(dose, 3) for dose in trial.doses]} only {[round(d, 3) for d in doses]} "
                "have them: try smaller doses, or look at the answers"
            )
        points = [trial.mean(dose, DRAWS) for dose in doses]
        means = np.array([one[0] for one in points])
        errors = np.array([one[1] for one in points])
        weights = 1 / np.maximum(errors, 1e-3) ** 2
        replicates = np.stack([one[2] for one in points], axis=1)
        scatter = replicates.std(axis=0)
        return cls(
            trial.value,
            arm,
            identity,
            judge.judge,
            judge.fingerprint,
            doses,
            dose_per_level,
            tuple(map(float, means)),
            tuple(map(float, scatter)),
            tuple(map(float, monotone(means, weights))),
            tuple(tuple(map(float, monotone(row, weights))) for row in replicates),
            len(trial.queries),
            model,
            trial.sampling.samples,
            trial.sampling.temperature,
            len(set(trial.kinds)),
        )

    @property
    def sampling(self) -> Sampling:
        """How the answers were drawn."""
        return Sampling(self.samples, self.temperature)

    @property
    def reach(self) -> tuple[float, float]:
        """Lowest and highest intensity of the curve."""
        return self.curve[0], self.curve[-1]

    def invert(self, intensity: float, new_queries: int = NEW_QUERIES) -> Setting:
        """The dose for an intensity, with the interval to be expected.

        Of several doses that promise the same, the one nearest to 0 is taken. Prompts are not
        interpolated: the nearest level is named and its own intensity promised.

        Args:
            intensity: What is asked for, points.
            new_queries: Over how many new queries the mean will be taken, each with `samples`
                answers.

        Raises:
            ValueFlowError: if it is out of reach.
        """
        low, high = self.reach
        if not low <= intensity <= high:
            raise ValueFlowError(
                f"{self.value}={intensity:+.1f} is out of reach of this {self.arm}: on "
                f"{self.queries} calibration queries it moved answers from {low:+.1f} to "
                f"{high:+.1f}"
            )
        curve, doses = np.array(self.curve), np.array(self.doses)
        if self.arm == "prompt":
            index = min(range(len(doses)), key=lambda i: (abs(curve[i] - intensity), abs(doses[i])))
            dose = float(doses[index])
        else:
            dose = nearest_dose(doses, curve, intensity)
        expected = float(np.interp(dose, doses, curve))
        at = np.array([np.interp(dose, doses, row) for row in self.draws])
        own = float(np.interp(dose, doses, self.scatters))
        # The curve may be surer than any one mean; new answers are as noisy as the old; between
        # two doses it may bend. How noisy that is is known from few queries only.
        variance = float(at.var()) + own**2 * self.queries / new_queries
        variance += bend(doses, curve, dose) ** 2 / 3
        half = float(student.ppf(0.95, max(1, self.queries - self.kinds))) * math.sqrt(variance)
        level = dose / self.dose_per_level
        return Setting(intensity, dose, level, expected, expected - half, expected + half)

    def promise(self, setting: Setting) -> Promise:
        """What `invert` said, as specs and results keep it."""
        said = (setting.asked, setting.expected, setting.low, setting.high)
        drawn = (self.samples, self.temperature)
        return Promise(self.value, *said, NEW_QUERIES, self.judge, self.profile, *drawn)

    def check_vector(self, vector: Fitted) -> None:
        """Refuse a dial that was measured with another vector.

        Raises:
            ValueFlowError: naming both.
        """
        if self.identity != vector.fingerprint:
            raise ValueFlowError(
                f"the dial of {self.value} was measured with the vector {self.identity[:8]}, the "
                f"folder holds {vector.fingerprint[:8]}: run `valueflow vectors calibrate` again"
            )

    def save(self, path: str | Path) -> Path:
        """Write the dial as JSON: whole, or not at all."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shown = replace(self, draws=tuple(tuple(round(x, 4) for x in row) for row in self.draws))
        text = json.dumps({"format": FORMAT, **asdict(shown)}, indent=1)
        partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
        partial.write_text(text, "utf-8")
        return partial.replace(target)

    @classmethod
    def load(cls, path: str | Path) -> Dial:
        """Read a dial that `save` wrote.

        Raises:
            ValueFlowError: if there is none, or it is something else.
        """
        source = Path(path)
        if not source.is_file():
            raise ValueFlowError(
                f"no dial at {source}: measure one with `valueflow vectors calibrate DIR`"
            )
        try:
            content = dict(json.loads(source.read_text("utf-8")))
            if content.pop("format", None) != FORMAT:
                raise ValueError("another format")
            return cls(**{name: _tuples(item) for name, item in content.items()})
        except (TypeError, ValueError) as error:  # no UTF-8, no JSON, or other entries
            raise ValueFlowError(
                f"{source} is no dial ({FORMAT}; {error}): measure one with "
                "`valueflow vectors calibrate`"
            ) from None


def _tuples(item: Any) -> Any:
    return tuple(_tuples(one) for one in item) if isinstance(item, list) else item
