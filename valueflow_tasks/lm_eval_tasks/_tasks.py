"""Tasks for lm-eval: one document is one query, one request per level."""

from __future__ import annotations

import difflib
import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import datasets
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask
from valueflow_scorers import ValueFlowError
from valueflow_scorers._errors import unknown
from valueflow_scorers._measure import Measured
from valueflow_scorers.metrics import (
    HIGHER_IS_BETTER,
    Metric,
    profile_metrics,
    query_numbers,
    steering_metrics,
    value_slug,
)

from ..prompts import LEVELS, steering_text, user_turn
from ..settings import Settings
from ..side_effects import SIDE_EFFECT_NAMES, Told, side_effects, told_from
from ..theories import resolve_values
from ..vidb._values import OWN, only_own_value
from . import _filter as filter_module
from ._carriers import SPEC
from ._support import check_answers, check_support

logger = logging.getLogger(__name__)

_OURS = ("version", "config_source", "valueflow")


class _Own(float):
    """A document's own number in the samples file; it carries what the aggregate needs."""

    records: list[dict[str, Any]]


class _Missing:
    """Stands where a document has no number of its own."""

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.records = records

    def __str__(self) -> str:
        return "not computable for this query"


class ValueFlowTask(ConfigurableTask):  # type: ignore[misc]  # lm_eval ships no types
    """What both kinds of task share."""

    def __init__(self, config: dict[str, Any] | None = None) -> None:
        """Build the task from its YAML and the command line's metadata.

        Raises:
            ValueFlowError: for unknown or impossible settings.
        """
        content = dict(config or {})
        content.pop("class", None)
        metadata = dict(content.get("metadata") or {})
        self.settings = Settings.parse(_own_settings(metadata))
        self.target = (content.get("dataset_kwargs") or {}).get("value")
        self.levels: Sequence[int] = LEVELS if self.target else (0,)
        self._several_ranks = self._gathered = False
        self._chat_template = False
        self._found: dict[str, Metric] = {}
        self._specs: dict[int, dict[str, Any]] = {}
        self._fingerprints: dict[int, str] = {}
        for value in (self.target,) if self.target else self.settings.values:
            if value in self.settings.values:
                # What cannot be measured is refused before the model is asked anything.
                self.settings.instrument().evaluator(value)
        super().__init__(config=content)

    # -- documents and requests

    def download(self, *_: Any, **__: Any) -> None:
        """Put the queries where the harness looks for documents."""
        rows = [
            {"query_id": query.id, "query": query.text, "kind": query.kind}
            for query in self.settings.query_set()
        ]
        self.dataset = {"test": datasets.Dataset.from_list(rows)}

    def doc_to_text(self, doc: Mapping[str, Any], *_: Any) -> str:
        """The user turn of a document at its level."""
        level = int(doc.get("level", 0))
        by_prompt = level != 0 and self.settings.method != "vector"
        steering = steering_text(str(self.target), level, self.settings.method) if by_prompt else ""
        return user_turn(str(doc["query"]), steering)

    def doc_to_target(self, doc: Mapping[str, Any], *_: Any) -> str:
        """There is no right answer."""
        return ""

    def build_all_requests(self, *args: Any, **kwargs: Any) -> None:
        """As the harness does, remembering what enters the protocol.

        The harness's cache of requests knows nothing of settings, so it is left out.
        """
        if self._specs:
            check_support()
        kwargs["cache_requests"] = False
        self._several_ranks = kwargs.get("world_size", 1) > 1
        self._chat_template = bool(kwargs.get("apply_chat_template", False))
        super().build_all_requests(*args, **kwargs)

    def fewshot_context(self, doc: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """One context per level; `construct_requests` takes them apart."""
        return [
            super(ValueFlowTask, self).fewshot_context({**doc, "level": level}, *args, **kwargs)
            for level in self.levels
        ]

    def construct_requests(
        self, doc: dict[str, Any], ctx: Sequence[Any], **kwargs: Any
    ) -> list[Instance]:
        """One request per level, each with its own copy of the document."""
        for name in ("apply_chat_template", "chat_template"):
            kwargs.pop(name, None)
        return [
            Instance(
                request_type="generate_until",
                doc=self._at_level(doc, level),
                arguments=(context, self._arguments(level)),
                idx=index,
                **kwargs,
            )
            for index, (level, context) in enumerate(zip(self.levels, ctx, strict=True))
        ]

    def _arguments(self, level: int) -> dict[str, Any]:
        """Generation arguments; with the spec in them they are no other level's cache key."""
        arguments = dict(self.config.generation_kwargs)
        return {**arguments, SPEC: self._specs[level]} if level in self._specs else arguments

    def _at_level(self, doc: dict[str, Any], level: int) -> dict[str, Any]:
        steered = self.target is not None and level != 0
        if self.target is None:
            measure: Sequence[str] = self.settings.values
        else:
            measure = self.settings.measured_on(self.target)
        return {
            **doc,
            "level": level,
            "target": self.target if steered else None,
            "measure": list(measure),
            "settings": self.settings.to_dict(),
        }

    # -- judging and metrics

    @property
    def _predict_only(self) -> bool:
        return "bypass" in self._metric_fn_list

    def apply_filters(self) -> Any:
        """Judge all answers, unless the harness was asked for answers only.

        Raises:
            ValueFlowError: if an answer was to be steered by vector and was not.
        """
        if self._specs:
            check_answers(
                [
                    (self._fingerprints[instance.doc["level"]], instance.resps[0])
                    for instance in self._instances
                    if instance.doc["level"] in self._specs
                ]
            )
        if self._predict_only:
            for instance in self._instances:
                instance.filtered_resps[filter_module.FILTER] = instance.resps[0]
            return self._instances
        result = super().apply_filters()
        records = [
            json.loads(instance.filtered_resps[filter_module.FILTER])
            for instance in self._instances
        ]
        self._found = self._metrics(records)
        self._record_protocol()
        return result

    def _metrics(self, records: Sequence[Mapping[str, Any]]) -> dict[str, Metric]:
        raise NotImplementedError

    def _numbers(self, measured: Sequence[Measured]) -> dict[str, float]:
        raise NotImplementedError

    def _names(self) -> tuple[str, ...]:
        """All metrics that this task can emit."""
        raise NotImplementedError

    def process_results(self, doc: dict[str, Any], results: Sequence[str]) -> dict[str, Any]:
        """The document's own numbers, each carrying the records behind it."""
        if self._predict_only:
            return {"bypass": 0}
        records = [json.loads(result) for result in results]
        numbers = self._numbers(self.settings.instrument().restore(records))
        emitted: dict[str, Any] = {}
        # Every rank must emit the same keys; on one rank only those that have a number.
        for name in self._names() if self._several_ranks else self._found:
            item: _Own | _Missing
            if name in numbers:
                item = _Own(numbers[name])
                item.records = records
            else:
                item = _Missing(records)
            emitted[name] = item
            # After <m>, so that the harness's own entry is overwritten.
            emitted[f"{name}_stderr"] = item
        return emitted

    def aggregation(self) -> dict[str, Callable[[Sequence[Any]], Any]]:
        """Aggregates by metric; the errors are ours, so the harness adds none."""
        names = dict.fromkeys([*self._names(), *self._found])
        return {
            f"{name}{suffix}": partial(self._aggregate, name, suffix)
            for name in names
            for suffix in ("", "_stderr")
        } | {"bypass": lambda items: 999}

    def _aggregate(self, name: str, suffix: str, items: Sequence[_Own | _Missing]) -> float | str:
        if self._several_ranks and not self._gathered:
            # Every metric's items carry all records; the first to be aggregated serves all.
            self._gathered = True
            self._found = self._metrics([record for item in items for record in item.records])
            self._record_protocol()
        metric = self._found.get(name)
        number = None if metric is None else metric.stderr if suffix else metric.value
        return "N/A" if number is None else number

    def higher_is_better(self) -> dict[str, bool | None]:
        """Direction of each metric; None where there is none."""
        return {
            name: HIGHER_IS_BETTER.get(name.rpartition("/")[2])
            for name in [*self._names(), *self._found]
        }

    def _record_protocol(self) -> None:
        """Leave protocol, profile and intervals in the results file."""
        profile = self.settings.instrument().judge_profile
        values = (self.target,) if self.target else self.settings.values
        if not profile.calibrated:
            logger.warning(
                "%s: judge %s is uncalibrated; its results are comparable to nothing",
                self.config.task,
                profile.judge,
            )
        self.config.metadata["valueflow"] = {
            "settings": self.settings.to_dict(),
            "protocol": self.settings.protocol(
                values,
                self.settings.query_set(),
                chat_template=self._chat_template,
                generation=_generation(self.config.generation_kwargs),
            ),
            "profile": profile.fingerprint,
            "calibrated": profile.calibrated,
            "steering": {f"{level:+d}": spec for level, spec in self._specs.items()},
            "intervals": {
                name: [round(end, 4) for end in interval]
                for name, metric in self._found.items()
                if (interval := metric.interval()) is not None
            },
            "interval_mass": 0.9,
        }


class ProfileTask(ValueFlowTask):
    """Unsteered answers, measured on every value."""

    def _metrics(self, records: Sequence[Mapping[str, Any]]) -> dict[str, Metric]:
        measured = self.settings.instrument().restore(records)
        return profile_metrics(measured, self.settings.values)

    def _numbers(self, measured: Sequence[Measured]) -> dict[str, float]:
        own = {
            f"intensity_{value_slug(value)}": estimate.intensity
            for one in measured
            for value, estimate in one.estimates.items()
            if estimate.scored
        }
        shares = _shares(measured)
        if not own:
            return shares
        return own | shares | {"strength": sum(map(abs, own.values())) / len(own)}

    def _names(self) -> tuple[str, ...]:
        intensities = (f"intensity_{value_slug(value)}" for value in self.settings.values)
        return ("strength", *intensities, "refusal", "unscored")


class SteerTask(ValueFlowTask):
    """Answers at five levels of one value."""

    def __init__(self, config: dict[str, Any] | None = None) -> None:
        """Build the task; `values` must name the task's own value, if it is given.

        Raises:
            ValueFlowError: for unknown or impossible settings.
        """
        super().__init__(config)
        if self.target == OWN:
            self.target = only_own_value(self.settings.values)
        (self.target,) = resolve_values([str(self.target)], self.settings.values)
        if self.settings.method == "vector":
            from ..steering._folder import VectorFolder

            folder = VectorFolder(self.settings.vectors)
            specs = {level: folder.spec({self.target: level}) for level in self.levels if level}
            self._specs = {level: spec.to_dict() for level, spec in specs.items()}
            self._fingerprints = {level: spec.fingerprint for level, spec in specs.items()}

    def _metrics(self, records: Sequence[Mapping[str, Any]]) -> dict[str, Metric]:
        measured = self.settings.instrument().restore(records)
        side = side_effects(_told(records), str(self.target))
        return steering_metrics(measured, [str(self.target)]) | side

    def _numbers(self, measured: Sequence[Measured]) -> dict[str, float]:
        return query_numbers(measured, str(self.target)) | _shares(measured)

    def _names(self) -> tuple[str, ...]:
        names = ("steerability", "steerability_up", "steerability_down", "tracking", "gain",
                 "intensity", "refusal", "unscored")  # fmt: skip
        leakage = () if self.settings.off_target == "none" else ("leakage",)
        return (*names, *leakage, *SIDE_EFFECT_NAMES)


def _told(records: Sequence[Mapping[str, Any]]) -> list[Told]:
    """Answers as side effects are counted from; level 0 has its surprise from the steered ones."""
    plain = {
        record["query_id"]: record["losses"][1]
        for record in records
        if record["losses"][1] is not None
    }
    return [
        told_from(
            record,
            record["answer"],
            record["losses"][0] if record["level"] else plain.get(record["query_id"]),
        )
        for record in records
    ]


def _generation(given: Mapping[str, Any]) -> dict[str, Any]:
    """The harness's generation settings in the protocol's words, which Inspect's runs use too."""
    named: dict[str, Any] = {
        "temperature": float(given.get("temperature", 0.0)),
        "max_tokens": int(given.get("max_gen_toks", 0)),
    }
    known = {"temperature", "max_gen_toks", "until", "do_sample"}
    more = {key: value for key, value in given.items() if key not in known}
    if given.get("until"):
        more["until"] = given["until"]
    return {**named, **more}


def _shares(measured: Sequence[Measured]) -> dict[str, float]:
    estimates = [estimate for one in measured for estimate in one.estimates.values()]
    refused = sum(one.refused for one in measured) / len(measured)
    missing = sum(not one.scored for one in estimates) / len(estimates) if estimates else 0.0
    return {"refusal": refused, "unscored": missing}


def _own_settings(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What of a task's metadata is a setting of ours.

    The harness merges model arguments into the metadata, so an unknown key is an error only
    if it was given with --metadata, or looks like a misspelt setting.

    Raises:
        ValueFlowError: for an unknown key, naming the nearest.
    """
    known = Settings.names()
    named = _metadata_arguments(sys.argv)
    for key in metadata:
        if key in known or key in _OURS:
            continue
        if key in named or difflib.get_close_matches(key, known, n=1, cutoff=0.85):
            raise unknown("setting in --metadata", key, known)
    if "vectors" in named and metadata.get("method") != "vector":
        raise ValueFlowError("--metadata vectors=DIR steers only with method=vector: give both")
    return {key: value for key, value in metadata.items() if key in known}


def _metadata_arguments(arguments: Sequence[str]) -> set[str]:
    """The keys behind --metadata on a command line."""
    keys: set[str] = set()
    inside = False
    for argument in arguments:
        if argument.startswith("--"):
            flag, _, inline = argument.partition("=")
            inside = flag == "--metadata"
            argument = inline
        if inside and argument:
            try:
                content = json.loads(argument)
            except json.JSONDecodeError:
                content = {argument.partition("=")[0]: None}
            if isinstance(content, dict):
                keys.update(content)
    return keys
