"""The numbers that are submitted: steerability and tracking of models under a way of steering."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from valueflow_scorers import ValueFlowError
from valueflow_scorers._measure import Measured
from valueflow_scorers._records import fingerprint
from valueflow_scorers.metrics import MASS, Metric, Place, places, steering_metrics

from ..analysis import Condition, Run, Runs
from ..analysis._protocols import protocol_of
from ..settings import measurable_values

RANKED = ("steerability", "tracking")
"""Raw intensity has no good direction; only these are ever ranked."""
EVERYTHING = "valueflow"
"""Scope of all evaluated values."""
SELECTION = "selection"
"""Scope of the values submitted, where they are no whole theory."""
_DIGITS = 4


def rounded(number: float) -> float:
    """A number as it stands in files; never -0."""
    return round(number, _DIGITS) + 0.0


@dataclass(frozen=True)
class Score:
    """A number with its error."""

    metric: str
    """One of RANKED, or `intensity`, which is not ranked."""
    scope: str
    """EVERYTHING, a theory, a value, or SELECTION."""
    values: tuple[str, ...]
    """The values it is a mean over."""
    value: float
    """The number."""
    stderr: float
    """Standard error: the judge's noise, the queries' spread, the ruler's labels."""
    low: float
    """Lower end of its 90 % interval."""
    high: float
    """Upper end."""
    n: int
    """Queries that entered."""
    protocol: str
    """Fingerprint of the protocol for these values: comparable exactly where it agrees."""

    @property
    def id(self) -> str:
        """Name of what is ranked: no two protocols share one."""
        slug = self.scope.replace("/", "_").replace("-", "_")
        return f"{slug}_{self.metric}_{self.protocol[:8]}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content, rounded."""
        return {
            "metric": self.metric,
            "scope": self.scope,
            "value": rounded(self.value),
            "stderr": rounded(self.stderr),
            "low": rounded(self.low),
            "high": rounded(self.high),
            "n": self.n,
            "protocol": self.protocol,
        }


@dataclass(frozen=True)
class System:
    """A model and how it was steered: what is ranked."""

    model: str
    """Its name in the logs; steering is no part of it."""
    method: str
    """`definition`, `exemplars`, `vector`."""
    steering: Mapping[str, str]
    """What it was steered with: fingerprint of the spec, by arm."""
    values: tuple[str, ...]
    """The values it was steered toward."""
    scores: tuple[Score, ...]
    """What is ranked: all values first, then theories, then values."""
    intensities: tuple[Score, ...]
    """Unsteered, by value; not ranked."""
    refusal: float
    """Share of answers refused."""
    runs: tuple[Run, ...]
    """What it was read from."""

    @property
    def fingerprint(self) -> str:
        """Identity of what steered it."""
        return fingerprint([self.method, dict(self.steering)])

    @property
    def slug(self) -> str:
        """The method, as part of a file's name."""
        return self.method.replace("+", "-")

    @property
    def headline(self) -> Score:
        """Steerability over everything submitted."""
        return self.scores[0]

    @property
    def created(self) -> str:
        """When the newest of its runs was made, ISO 8601; empty: not known."""
        return max((run.created for run in self.runs), default="")

    @property
    def control(self) -> bool:
        """Whether the model is one of known truth."""
        return any(run.control for run in self.runs)

    def versions(self) -> dict[str, str]:
        """Of packages that took part."""
        found: dict[str, set[str]] = {}
        for run in self.runs:
            for name, version in run.versions.items():
                found.setdefault(name, set()).add(version)
        return {name: ", ".join(sorted(own)) for name, own in sorted(found.items())}

    def commands(self) -> list[str]:
        """Command lines that repeat its runs."""
        return list(dict.fromkeys(run.command for run in self.runs if run.command))

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content."""
        return {
            "model": self.model,
            "method": self.method,
            "steering": {"fingerprint": self.fingerprint, "specs": dict(self.steering)},
            "control": self.control,
            "values": list(self.values),
            "created": self.created,
            "harness": sorted({run.harness for run in self.runs}),
            "versions": self.versions(),
            "commands": self.commands(),
            "scores": [one.to_dict() for one in self.scores],
            "intensities": [one.to_dict() for one in self.intensities],
            "refusal": rounded(self.refusal),
        }


def systems(runs: Runs) -> list[System]:
    """The systems in some runs, by model and method.

    Raises:
        ValueFlowError: if a value lacks a level, so that it has no steerability.
    """
    steered = sorted((one for one in runs.conditions if one.target), key=_system_key)
    return [_system(runs, list(group)) for _, group in groupby(steered, key=_system_key)]


def _system_key(one: Condition) -> tuple[str, str]:
    return one.model, one.method


def _system(runs: Runs, group: Sequence[Condition]) -> System:
    order = measurable_values()
    values = tuple(sorted((one.target for one in group), key=order.index))
    measured = _measured(runs, group)
    metrics: dict[str, Mapping[str, Metric]] = {}
    for scope, members in scopes(values).items():
        metrics[scope] = steering_metrics(measured, members)
        for name in RANKED:
            if name not in metrics[scope]:
                raise ValueFlowError(
                    f"{group[0].model}, {', '.join(members)}: no {name}, because no query was "
                    "scored at the levels -2, 0 and +2: submit a run of valueflow_steer"
                )
    rows = [row for one in group for own in one.rows.values() for by_query in own.values()
            for row in by_query.values()]  # fmt: skip
    frame = runs.frame.loc[rows]
    panels = {str(v): str(p) for v, p in zip(frame["value"], frame["panel"], strict=True) if p}
    sources = tuple(runs.run(name) for name in dict.fromkeys(frame["run"]))
    steered = frame[frame["steering"] != ""]

    def score(scope: str, name: str) -> Score:
        own = scopes(values)[scope]
        metric = metrics[scope][name]
        low, high = metric.interval(MASS) or (metric.value, metric.value)
        protocol = protocol_of(sources[0], {value: panels[value] for value in own})
        if protocol is None:
            raise ValueFlowError(f"{sources[0].source} does not say how it was measured")
        if metric.stderr is None:
            raise ValueFlowError(
                f"{group[0].model}, {scope}: {metric.n} queries do not tell the error of {name}: "
                "submit a run of more queries"
            )
        return Score(name, scope, own, metric.value, metric.stderr, low, high, metric.n,
                     protocol)  # fmt: skip

    return System(
        model=group[0].model,
        method=group[0].method,
        steering=dict(sorted(zip(steered["arm"], steered["steering"], strict=True))),
        values=values,
        scores=tuple(score(scope, name) for scope in metrics for name in RANKED),
        intensities=tuple(score(value, "intensity") for value in values),
        refusal=next(iter(metrics.values()))["refusal"].value,
        runs=sources,
    )


def _measured(runs: Runs, group: Iterable[Condition]) -> list[Measured]:
    """Answers on their targets; the unsteered ones, which all targets share, on all of them."""
    plain: dict[Place, Measured] = {}
    steered = []
    for condition in group:
        for place, one in places(condition.measured(runs)):
            own = {v: e for v, e in one.estimates.items() if v == condition.target}
            if one.level:
                steered.append(replace(one, target=condition.target, estimates=own))
            else:
                known = plain.get(place)
                both = {**(known.estimates if known else {}), **own}
                refused = one.refused and not both
                plain[place] = Measured(one.query_id, None, 0.0, refused, both)
    return [*plain.values(), *steered]


def scopes(values: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What some values can be averaged over: everything first, then theories, then values."""
    every = measurable_values()
    found: dict[str, tuple[str, ...]] = {}
    if set(every) <= set(values):
        found[EVERYTHING] = tuple(every)
    for theory, members in groupby(every, key=lambda value: value.partition("/")[0]):
        whole = tuple(members)
        if set(whole) <= set(values):
            found[theory] = whole
    if len(values) > 1 and set(values) not in map(set, found.values()):
        found = {SELECTION: tuple(values), **found}
    return {**found, **{value: (value,) for value in values}}
