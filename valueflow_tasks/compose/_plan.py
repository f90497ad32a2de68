"""Which targets are put together, from what a user asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from valueflow_scorers import ValueFlowError
from valueflow_scorers._errors import unknown
from valueflow_scorers._measure import arm_id

from ..arms import Arm, make_arms
from ..settings import Settings, parse_list
from ..theories import resolve_values
from ._sets import CONFLICTING, SIMILAR

OWN_SETTINGS = ("sets", "targets", "size", "count", "draw")
"""Settings that a composition has besides those of `Settings`."""
SETS = ("pairs", "similar", "conflicting", "random")
JOINED = "~"
"""Between the targets of one set: `svt/power:+2~mft/care:-1`."""
FEWEST, MOST = 2, 5
PAIR_LEVELS = ((2, 2), (2, 1), (1, 2))
"""Levels of a pair: both as strong, and either one stronger."""
_TARGET = re.compile(r"^([\w/-]+):([+-]?\d+(?:\.\d+)?)$")

TargetSet = Mapping[str, float]


def plan(settings: Settings, given: Mapping[str, Any]) -> tuple[TargetSet, ...]:
    """The sets of targets of a composition.

    Args:
        settings: `values` says which values may be put together.
        given: `targets`: sets of one's own, `[svt/power:+2~mft/care:-1]`; or `sets`:
            `similar`, `conflicting`, `pairs` (both, the default), each pair at the levels
            PAIR_LEVELS, or `random`: `count` (8) sets of `size` (5) values, one at level ±2, the
            others at ±1, drawn from the seed `draw` (0).

    Raises:
        ValueFlowError: for an unknown or impossible choice.
    """
    if given.get("targets") is not None:
        asked = [name for name in OWN_SETTINGS if given.get(name) is not None]
        if named := [name for name in asked if name != "targets"]:
            raise ValueFlowError(f"targets= names the sets itself: leave out {', '.join(named)}")
        if not (sets := parse_list(given["targets"])):
            raise ValueFlowError(
                "targets= names no set: give some, such as svt/power:+2~mft/care:-1"
            )
        return tuple(read_set(one, settings) for one in sets)
    kind = str(given.get("sets") or "pairs")
    if kind not in SETS:
        raise unknown("sets", kind, SETS)
    if kind == "random":
        return tuple(_random(settings, given))
    if named := [name for name in ("size", "count", "draw") if given.get(name) is not None]:
        raise ValueFlowError(f"{', '.join(named)}: only sets=random draws sets")
    pairs = {"similar": SIMILAR, "conflicting": CONFLICTING, "pairs": (*SIMILAR, *CONFLICTING)}
    found = [
        dict(zip(pair, map(float, levels), strict=True))
        for pair in pairs[kind]
        if set(pair) <= set(settings.values)
        for levels in PAIR_LEVELS
    ]
    if not found:
        raise ValueFlowError(
            f"no pair of sets={kind} lies within values={list(settings.values)}: name a theory, "
            "more values, or targets= of your own"
        )
    return tuple(found)


def read_set(text: str, settings: Settings) -> TargetSet:
    """`svt/power:+2~mft/care:-1` as targets.

    Raises:
        ValueFlowError: for another form, a theory, a value named twice, level 0, or too few or
            too many.
    """
    named = read_arm(text)
    if theories := [name for name in named if "/" not in name]:
        raise ValueFlowError(f"targets: {theories[0]!r} is no value; name one, such as svt/power")
    targets = {resolve_values([v], settings.values)[0]: level for v, level in named.items()}
    if len(targets) < len(named):
        raise ValueFlowError(f"targets: {text!r} names a value twice, by two of its names")
    if not FEWEST <= len(targets) <= MOST:
        raise ValueFlowError(f"targets: {text!r} has {len(targets)} values; {FEWEST} to {MOST} go")
    return targets


def read_arm(text: str) -> dict[str, float]:
    """The name of an arm (`0`, `svt/power:+2`, `mft/care:-1~svt/power:+2`) as targets.

    Raises:
        ValueFlowError: for another form, a value named twice, or a target at level 0.
    """
    targets: dict[str, float] = {}
    for part in text.split(JOINED) if text != "0" else ():
        if (found := _TARGET.match(part.strip())) is None:
            raise ValueFlowError(
                f"{part!r} is no value and level; targets are such as "
                f"svt/power:+2{JOINED}mft/care:-1"
            )
        value, level = found[1], float(found[2])
        if value in targets or level == 0:
            raise ValueFlowError(f"{text!r} names {value} twice, or at level 0")
        targets[value] = level
    return targets


def _random(settings: Settings, given: Mapping[str, Any]) -> Iterable[TargetSet]:
    size, count, draw = (
        _whole(name, given.get(name), default)
        for name, default in (("size", MOST), ("count", 8), ("draw", 0))
    )
    values = sorted(settings.values)
    if not FEWEST <= size <= min(MOST, len(values)):
        raise ValueFlowError(
            f"size={size}: a set has {FEWEST} to {MOST} values, and there are {len(values)}"
        )
    if count < 1:
        raise ValueFlowError(f"count={count}: draw at least one set")
    if draw < 0:
        raise ValueFlowError(f"draw={draw}: give a seed >= 0")
    rng = np.random.default_rng([draw, size])
    for _ in range(count):
        drawn = [values[place] for place in rng.permutation(len(values))[:size]]
        signs = rng.choice([-1.0, 1.0], size)
        yield {
            value: float(sign * (2 if place == 0 else 1))
            for place, (value, sign) in enumerate(zip(drawn, signs, strict=True))
        }


def _whole(name: str, raw: Any, default: int) -> int:
    if raw is None:
        return default
    try:
        return int(str(raw))
    except ValueError:
        raise ValueFlowError(f"{name}={raw!r}: give a whole number") from None


def compose_arms(settings: Settings, sets: Iterable[TargetSet]) -> tuple[Arm, ...]:
    """Unsteered answers, every target by itself, and every set, each once.

    An arm is measured on all values of the sets it plays a part in, and on off-target values where
    the settings ask for them.

    Raises:
        ValueFlowError: as `valueflow_tasks.arms.make_arms`.
    """
    asked: dict[str, TargetSet] = {"0": {}}
    measure: dict[str, dict[str, None]] = {}
    sets = tuple(sets)
    for one in sets:
        for value, level in one.items():
            asked.setdefault(arm_id({value: level}), {value: level})
    for one in sets:
        asked.setdefault(arm_id(one), one)
        # Along with off-target values, which every arm of the set needs for its comparison.
        values = dict.fromkeys(v for value in one for v in settings.measured_on(value))
        for name in (arm_id(one), *(arm_id({v: level}) for v, level in one.items())):
            measure.setdefault(name, {}).update({**dict.fromkeys(one), **values})
    plain = tuple(dict.fromkeys(value for own in measure.values() for value in own))
    return make_arms(
        settings, asked.values(), {name: tuple(own) for name, own in measure.items()}, plain
    )


def narrowed(settings: Settings, sets: Iterable[TargetSet]) -> Settings:
    """The settings with only the values that play a part."""
    named = tuple(dict.fromkeys(value for one in sets for value in one))
    return replace(settings, values=named)
