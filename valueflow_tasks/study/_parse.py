"""Read a study file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml
from valueflow_scorers import ValueFlowError
from valueflow_scorers._errors import unknown

from ..compose import OWN_SETTINGS
from ..prompts import LEVELS
from ..settings import INSTRUMENT, Settings, parse_list
from ._jobs import judge_name
from ._paths import judge_path, knob_paths, queries_path, value_path
from ._study import Study, StudyModel

T = TypeVar("T")

_METHODS = ("definition", "exemplars", "vector")
_MODEL = ("name", "args", "methods", "judges")
_PRICES = ("input", "output")
_JUDGES = ("embedded", "simulated", "ranking", "choice", "rating")


def load_study(source: str | Path) -> Study:
    """Read a study file, or one that ships: `offline`, `quick`.

    Paths in it are relative to the file.

    Raises:
        ValueFlowError: for a file that cannot be read, an unknown key (naming the nearest), or
            a wrong value.
    """
    path = Path(source)
    if path.suffix == ".toml":
        raise ValueFlowError(f"{source}: studies are YAML, not TOML; {_EXAMPLE}")
    shipped = {one.name.removesuffix(".yaml") for one in _data().iterdir()}
    if not path.exists() and str(source) in shipped:
        text, folder = (_data() / f"{source}.yaml").read_text("utf-8"), Path()
    else:
        try:
            text, folder = path.read_text("utf-8"), path.parent
        except (OSError, UnicodeDecodeError) as error:
            told = getattr(error, "strerror", None) or "it is no UTF-8 text"
            raise ValueFlowError(
                f"cannot read the study {str(source)!r} ({told}): give a YAML file, or "
                f"one that ships: {', '.join(sorted(shipped))}"
            ) from None
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        told = getattr(error, "problem", None) or error
        raise ValueFlowError(f"{source} is no valid YAML: {where}{told}") from None
    if content is None:
        raise ValueFlowError(f"{source} is empty: a study names models at least; {_EXAMPLE}")
    if not isinstance(content, Mapping):
        raise ValueFlowError(f"{source}: a study is a mapping of {', '.join(_KEYS)}; {_EXAMPLE}")
    return _parse(content, str(source), folder)


def _data() -> Any:
    return files("valueflow_tasks.study") / "data"


_KEYS = ("name", "models", "values", "methods", "levels", "judges", "queries", "off_target",
         "vectors", "compose", "include", "prices")  # fmt: skip
_EXAMPLE = "the shortest is 'models: [openai/gpt-4o-mini]'"


def _parse(content: Mapping[str, Any], source: str, folder: Path) -> Study:
    for key in content:
        if key not in _KEYS:
            told = str(unknown(f"key in {source}", str(key), _KEYS))
            more = f" The keys are {', '.join(_KEYS)}" if told.endswith("?") else ""
            raise ValueFlowError(f"{told}{more}")
    if not content.get("models"):
        raise ValueFlowError(f"{source} names no models: models: [openai/gpt-4o-mini, …]")
    read = _Reader(source, folder)
    methods = read.methods(content.get("methods", ["definition"]))
    models = read.each("models", content["models"], read.model, lambda one: one.shown)
    used = {method for one in models for method in one.methods or methods}
    judges = read.each("judges", content.get("judges", ["embedded"]), read.judge, judge_name)
    study = Study(
        name=read.name(content.get("name")),
        models=models,
        settings=read.settings(content, used),
        methods=methods,
        levels=read.levels(content.get("levels", list(LEVELS)), used),
        judges=judges,
        compose=read.compose(content.get("compose")),
        include=read.paths("include", content.get("include")),
        prices=read.prices(content.get("prices")),
    )
    names = [str(judge["judge"]) for judge in study.judges]
    for judge in study.judges:
        study.judged_by(judge, "")
    for named in (name for model in models for name in model.judges):
        if named not in names:
            raise unknown(f"judge of a model in {source}", named, names)
    study.settings.query_set()
    _ = study.composed  # what cannot be put together is said now
    return study


@dataclass(frozen=True)
class _Reader:
    """Reads what stands under the keys of a study file; refuses what is of the wrong form."""

    source: str
    folder: Path

    def wrong(self, told: str) -> ValueFlowError:
        return ValueFlowError(f"{self.source}: {told}")

    def name(self, given: Any) -> str:
        if given is None:
            return Path(self.source).stem
        if not isinstance(given, str) or not given or given != Path(given).name:
            raise self.wrong(f"the name {given!r} is none that a folder can have")
        return given

    def settings(self, content: Mapping[str, Any], used: set[str]) -> Settings:
        vectors = content.get("vectors")
        if vectors is not None and not isinstance(vectors, str):
            raise self.wrong(f"vectors is a folder, not {vectors!r}")
        if "vector" in used and not vectors:
            raise self.wrong("the method vector needs vectors: DIR")
        given = {key: content[key] for key in ("off_target",) if key in content}
        if "queries" in content:
            given["queries"] = queries_path(str(content["queries"]), self.folder)
        if "values" in content:
            named = [value_path(one, self.folder) for one in parse_list(content["values"])]
            given["values"] = named
        if vectors:
            given |= {"vectors": str(self.folder / vectors), "method": "vector"}
        return Settings.parse(given)

    def each(
        self, name: str, given: Any, read: Callable[[Any], T], label: Callable[[T], str]
    ) -> tuple[T, ...]:
        """A list whose entries all differ."""
        found = tuple(read(one) for one in self.entries(name, given))
        labels = [label(one) for one in found]
        if twice := [one for one in dict.fromkeys(labels) if labels.count(one) > 1]:
            raise self.wrong(f"{name} has {twice[0]} more than once: name it once")
        return found

    def entries(self, name: str, given: Any) -> Sequence[Any]:
        if not isinstance(given, list) or not given:
            raise self.wrong(f"{name} is a list with at least one entry, not {given!r}")
        return given

    def mapping(self, name: str, given: Any, keys: Sequence[str] = ()) -> Mapping[Any, Any]:
        if not isinstance(given, Mapping):
            raise self.wrong(f"{name} is a mapping of names to values, not {given!r}")
        for key in given:
            if keys and key not in keys:
                raise unknown(f"key {name} in {self.source}", str(key), keys)
        return given

    def model(self, given: Any) -> StudyModel:
        if isinstance(given, str):
            return StudyModel(given)
        if not isinstance(given, Mapping) or not isinstance(given.get("name"), str):
            raise self.wrong(f"a model is a name, or has a name and args: {given!r}")
        self.mapping("of a model", given, _MODEL)
        args = self.mapping("args of a model", given.get("args") or {})
        judges = self.entries("judges of a model", given["judges"]) if given.get("judges") else ()
        return StudyModel(
            given["name"],
            {str(key): value for key, value in args.items()},
            self.methods(given["methods"]) if given.get("methods") else (),
            tuple(judge_path(str(one), self.folder) for one in judges),
        )

    def methods(self, given: Any) -> tuple[str, ...]:
        def read(method: Any) -> str:
            if method not in _METHODS:
                raise unknown(f"method in {self.source}", str(method), _METHODS)
            return str(method)

        return self.each("methods", given, read, str)

    def judge(self, given: Any) -> Mapping[str, Any]:
        knobs = {"judge": given} if isinstance(given, str) else given
        if not isinstance(knobs, Mapping) or not isinstance(knobs.get("judge"), str):
            raise self.wrong(f"a judge is a name, or has a judge and knobs: {given!r}")
        kind = knobs["judge"].partition(":")[0]
        if kind not in _JUDGES:
            raise unknown(f"judge in {self.source}", kind, _JUDGES)
        return knob_paths(self.mapping("of a judge", knobs, INSTRUMENT), self.folder)

    def levels(self, given: Any, methods: set[str]) -> tuple[float, ...]:
        levels = self.each("levels", given, self.level, str)
        if methods != {"vector"} and not set(levels) <= set(LEVELS):
            raise self.wrong(f"prompts have the levels {LEVELS}, not {given!r}")
        return tuple(sorted({*levels, 0}))

    def level(self, given: Any) -> float:
        number = isinstance(given, int | float) and not isinstance(given, bool)
        if not number or not math.isfinite(given):
            raise self.wrong(f"levels are finite numbers, not {given!r}")
        return int(given) if given == int(given) else float(given)

    def compose(self, given: Any) -> Mapping[str, Any] | None:
        return None if given is None else self.mapping("under compose", given, OWN_SETTINGS)

    def paths(self, name: str, given: Any) -> tuple[str, ...]:
        if given is None:
            return ()
        paths = [given] if isinstance(given, str) else self.entries(name, given)
        if not all(isinstance(one, str) for one in paths):
            raise self.wrong(f"{name} is a path or a list of paths, not {given!r}")
        return tuple(str(self.folder / one) for one in paths)

    def prices(self, given: Any) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = {}
        for model, own in self.mapping("prices", given or {}).items():
            try:
                found[str(model)] = {kind: _dollars(own[kind]) for kind in _PRICES}
            except (LookupError, TypeError, ValueError):
                raise self.wrong(
                    f"prices of {model} are dollars per million tokens, "
                    "{input: 0.15, output: 0.6}"
                ) from None
        return found


def _dollars(given: Any) -> float:
    if isinstance(given, bool) or not 0 <= float(given) < math.inf:
        raise ValueError
    return float(given)
