"""`steer=…` as users write it, as a steering spec; the same in both harnesses."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from valueflow_scorers import ValueFlowError

from .profiles._files import is_profile_file
from .prompts import LEVELS, METHODS, steering_text
from .settings import Settings, measurable_values
from .steering import SteeringSpec, Target
from .steering._folder import VectorFolder, dial_file, prompt_dial_file
from .steering._spec import Promise
from .theories import resolve_values

logger = logging.getLogger(__name__)

_LEVEL = re.compile(r"^([\w/-]+):([+-]?\d+(?:\.\d+)?)$")
_INTENSITY = re.compile(r"^([\w/-]+)=([+-]?\d+(?:\.\d+)?)$")
_UNSTEERED = "steer=%s=%+g: the dial expects %+.1f of the model as it is: the run is not steered"
_FORMS = (
    "steer= takes a value and a level (svt/power:+2), where a dial was measured also an intensity "
    "(svt/power=+5.0), or a JSON file of targets, of a whole spec, or of a value profile"
)


def read_steer(
    steer: str | None, vectors: str | None = None, method: str = "definition", model: str = ""
) -> SteeringSpec | None:
    """What steers a whole run.

    Args:
        steer: `value:level`, `value=intensity`, or the path of a JSON file: a spec (paths in it
            are relative to the file), or `{"targets": {"svt/power": 2, "mft/care": -1}}`, or a
            value profile (`FILE#NAME` where it holds several); None or empty: unsteered.
        vectors: Folder of vectors; without one a level steers by prompt.
        method: How prompts steer.
        model: What is steered, as its user names it; finds the dial of its prompts.

    Returns:
        The spec; None for no `steer`, and for level 0. Where a dial stands at 0, a spec that
        steers nothing and holds what the dial promises.

    Raises:
        ValueFlowError: for anything else, and as the folder, the dial and the prompts do.
    """
    if not steer:
        if vectors:
            raise ValueFlowError(
                f"vectors={vectors} steers a whole run only with steer=, such as "
                "steer=svt/power:+2: give both (tasks with method=vector take the folder as a "
                "setting of the task)"
            )
        return None
    text = str(steer).strip()
    if (found := _LEVEL.match(text)) is not None:
        return _targets({found[1]: float(found[2])}, vectors, method)
    if (found := _INTENSITY.match(text)) is not None:
        value, intensity = _resolved(found[1]), float(found[2])
        if vectors:
            return _dialled(value, intensity, str(vectors))
        return _nearest_prompt(value, intensity, method, model)
    if is_profile_file(text):
        from .profiles import load_profile, profile_spec

        return profile_spec(load_profile(text), vectors or "", method)
    path = Path(text)
    if path.suffix == ".json":
        return _from_file(path, vectors, method)
    raise ValueFlowError(f"steer={text!r}: {_FORMS}")


def _from_file(path: Path, vectors: str | None, method: str) -> SteeringSpec | None:
    try:
        content: Any = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ValueFlowError(f"steer={str(path)!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueFlowError(f"steer={str(path)!r} is no UTF-8: save it as UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueFlowError(f"{path} is no valid JSON ({error.msg}): {_FORMS}") from None
    if not isinstance(content, Mapping):
        raise ValueFlowError(f"{path} holds no JSON object: {_FORMS}")
    if isinstance(content.get("targets"), Mapping) and set(content) <= {"targets", "method"}:
        levels = {str(value): _number(level, path) for value, level in content["targets"].items()}
        return _targets(levels, vectors, str(content.get("method", method)))
    spec = SteeringSpec.from_dict(content)
    if vectors:
        raise ValueFlowError(
            f"{path} is a whole spec and names its vectors itself: leave out vectors={vectors}"
        )
    beside = [replace(one, path=str((path.parent / one.path).resolve())) for one in spec.vectors]
    return None if spec.is_unsteered else replace(spec, vectors=tuple(beside))


def _number(given: Any, path: Path) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise ValueFlowError(f"{path}: a level is a number, not {given!r}")
    return float(given)


def _resolved(value: str) -> str:
    found = resolve_values([value], measurable_values())
    if len(found) != 1:
        raise ValueFlowError(
            f"{value!r} is a theory of {len(found)} values: steer= takes single values, such as "
            f"{found[0] if found else 'svt/power'}"
        )
    return found[0]


def _targets(levels: Mapping[str, float], vectors: str | None, method: str) -> SteeringSpec | None:
    named = [_resolved(value) for value in levels]
    if twice := sorted({value for value in named if named.count(value) > 1}):
        raise ValueFlowError(
            f"{', '.join(twice)} is targeted twice in {', '.join(levels)}: give it one level"
        )
    asked = {value: level for value, level in zip(named, levels.values(), strict=True) if level}
    if not asked:
        return None
    if vectors:
        return VectorFolder(str(vectors)).spec(asked)
    return prompt_spec(asked, method)


def prompt_spec(levels: Mapping[str, float], method: str = "definition") -> SteeringSpec:
    """The spec of prompt steering; several values give several sentences.

    Raises:
        ValueFlowError: for a level that has no wording (they are not interpolated).
    """
    for value, level in levels.items():
        if level not in LEVELS:
            near = min(LEVELS, key=lambda known: abs(known - level))
            raise ValueFlowError(
                f"{value}:{level:+g}: prompts have the levels {LEVELS}, wording is not "
                f"interpolated; the nearest is {near:+d}, or give vectors=DIR"
            )
    if method not in METHODS:
        raise ValueFlowError(f"method={method!r} steers by no prompt: choose one of {METHODS}")
    text = "\n".join(steering_text(value, int(level), method) for value, level in levels.items())
    return SteeringSpec(tuple(Target(value, level) for value, level in levels.items()), text)


def _dialled(value: str, intensity: float, vectors: str) -> SteeringSpec:
    from .steering.dial import NEW_QUERIES, Dial

    folder = VectorFolder(vectors)
    dial = Dial.load(dial_file(vectors, value))
    dial.check_vector(folder.vector(value))
    setting = dial.invert(intensity)
    if dial.temperature:
        logger.warning(
            "steer=%s=%+g: the dial's interval is that of a mean over %d queries%s; other answers "
            "have another mean and error", value, intensity, NEW_QUERIES, dial.sampling.told,
        )  # fmt: skip
    promise = dial.promise(setting)
    if setting.dose == 0:
        return _unsteered(promise)
    return folder.dosed({value: setting.level}, {value: setting.dose}, [promise])


def _nearest_prompt(value: str, intensity: float, method: str, model: str) -> SteeringSpec:
    """The prompt level whose measured intensity is nearest; which it is, is said."""
    from .steering._answer import short_name
    from .steering.dial import Dial

    path = prompt_dial_file(short_name(model), value, method)
    if not path.is_file():
        measure = f"valueflow vectors calibrate --arm prompt --model {model or 'M'} --value {value}"
        measure += f" --method {method}" * (method != METHODS[0])
        raise ValueFlowError(
            f"steer={value}={intensity:+g} asks for an intensity, and no dial says what does it: "
            f"give vectors=DIR with one (`valueflow vectors calibrate DIR`), measure the prompts' "
            f"(`{measure}`), or ask for a level, such as {value}:{'+2' if intensity > 0 else '-2'}"
        )
    dial = Dial.load(path)
    setting = dial.invert(intensity)
    promise = dial.promise(setting)
    logger.warning(
        "steer=%s=%+g: the nearest prompt level is %+d, expected %+.1f, 90 %% interval over %d new "
        "queries%s %+.1f … %+.1f (judge %s)",
        value, intensity, setting.level, promise.expected, promise.queries, dial.sampling.told,
        promise.low, promise.high, promise.judge,
    )  # fmt: skip
    if setting.level == 0:
        return _unsteered(promise)
    return replace(prompt_spec({value: setting.level}, method), promises=(promise,))


def _unsteered(promise: Promise) -> SteeringSpec:
    """What a dial promises of the model as it is."""
    logger.warning(_UNSTEERED, promise.value, promise.asked, promise.expected)
    return SteeringSpec(promises=(promise,))


def check_promises(spec: SteeringSpec | None, settings: Settings) -> None:
    """Warn where answers are measured with another judge profile than the dial was."""
    for promise in () if spec is None else spec.promises:
        profile = settings.instrument().judge_profile
        if profile.fingerprint != promise.profile:
            _warn_of_ruler(promise, profile.judge, profile.fingerprint)


@cache  # once, not for every answer
def _warn_of_ruler(promise: Promise, judge: str, profile: str) -> None:
    logger.warning(
        "%s=%+g was dialled with judge %s (profile %s) and is measured with %s (profile %s): the "
        "stated %+.1f … %+.1f does not hold for this ruler",
        promise.value, promise.asked, promise.judge, promise.profile[:8], judge, profile[:8],
        promise.low, promise.high,
    )  # fmt: skip
