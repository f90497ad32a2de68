"""What all tasks for lm-eval share: one document is one query, one request per arm."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import datasets
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask
from valueflow_scorers._measure import Measured
from valueflow_scorers.metrics import HIGHER_IS_BETTER, Metric

from ..arms import Arm
from ..prompts import generation_words, user_turn
from ..queries import Query
from ..settings import Settings
from . import _filter as filter_module
from ._announce import asked, judged
from ._carriers import SPEC
from ._items import NO_NUMBER, Missing, Own
from ._metadata import own_settings
from ._support import check_answers, check_support

logger = logging.getLogger(__name__)

ARM = "arm"
"""Key of a document's copy under which the number of its arm stands."""


class ValueFlowTask(ConfigurableTask):  # type: ignore[misc]  # lm_eval ships no types
    """Queries, arms, judging and what is left in the results; the kinds add arms and metrics."""

    own_settings: tuple[str, ...] = ()
    """Settings that a kind has besides those of `Settings`."""

    def __init__(self, config: dict[str, Any] | None = None) -> None:
        """Build the task from its YAML and the command line's metadata.

        Raises:
            ValueFlowError: for unknown or impossible settings.
        """
        content = dict(config or {})
        content.pop("class", None)
        given = own_settings(dict(content.get("metadata") or {}), self.own_settings)
        self.settings = Settings.parse(
            {name: raw for name, raw in given.items() if name in Settings.names()}
        )
        self._several_ranks = self._gathered = self._chat_template = False
        self._system: str | None = None
        self._queries = self.settings.query_set()
        self._found: dict[str, Metric] = {}
        self.arms: tuple[Arm, ...] = self._arms(
            content.get("dataset_kwargs") or {},
            {name: given.get(name) for name in self.own_settings},
        )
        for value in self._values():
            # What cannot be measured is refused before the model is asked anything.
            self.settings.instrument().evaluator(value)
        super().__init__(config=content)

    def _arms(self, fixed: Mapping[str, Any], own: Mapping[str, Any]) -> tuple[Arm, ...]:
        """The arms, from what the YAML fixes and the settings of this kind."""
        raise NotImplementedError

    def _values(self) -> tuple[str, ...]:
        """The values that enter the protocol."""
        raise NotImplementedError

    # -- documents and requests

    def download(self, *_: Any, **__: Any) -> None:
        """Put the queries where the harness looks for documents."""
        rows = [
            {"query_id": query.id, "query": query.text, "kind": query.kind}
            for query in self.settings.query_set()
        ]
        self.dataset = {"test": datasets.Dataset.from_list(rows)}

    def doc_to_text(self, doc: Mapping[str, Any], *_: Any) -> str:
        """The user turn of a document in its arm; without one, as it is unsteered."""
        steering = self.arms[doc[ARM]].prompt if ARM in doc else ""
        return user_turn(str(doc["query"]), steering)

    def doc_to_target(self, doc: Mapping[str, Any], *_: Any) -> str:
        """There is no right answer."""
        return ""

    def build_all_requests(self, *args: Any, **kwargs: Any) -> None:
        """As the harness does, remembering what enters the protocol.

        The harness's cache of requests knows nothing of settings, so it is left out.
        """
        if any(arm.spec for arm in self.arms):
            check_support()
        kwargs["cache_requests"] = False
        self._queries = self._asked(kwargs.get("limit"), kwargs.get("samples"))
        self._several_ranks = kwargs.get("world_size", 1) > 1
        self._chat_template = bool(kwargs.get("apply_chat_template", False))
        self._system = kwargs.get("system_instruction")
        super().build_all_requests(*args, **kwargs)

    def _asked(self, limit: int | None, samples: Sequence[int] | None) -> tuple[Query, ...]:
        """The queries that all ranks together put, as the harness chooses documents."""
        whole = self.settings.query_set()
        if samples:
            return tuple(query for place, query in enumerate(whole) if place in samples)
        return whole[: int(limit)] if limit else whole

    def fewshot_context(self, doc: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """One context per arm; `construct_requests` takes them apart."""
        return [
            super(ValueFlowTask, self).fewshot_context({**doc, ARM: number}, *args, **kwargs)
            for number in range(len(self.arms))
        ]

    def construct_requests(
        self, doc: dict[str, Any], ctx: Sequence[Any], **kwargs: Any
    ) -> list[Instance]:
        """One request per arm, each with its own copy of the document."""
        for name in ("apply_chat_template", "chat_template"):
            kwargs.pop(name, None)
        return [
            Instance(
                request_type="generate_until",
                doc={
                    **doc,
                    ARM: number,
                    **arm.asked,
                    "measure": list(arm.measure),
                    "settings": self.settings.to_dict(),
                },
                arguments=(context, self._arguments(arm)),
                idx=number,
                **kwargs,
            )
            for number, (arm, context) in enumerate(zip(self.arms, ctx, strict=True))
        ]

    def _arguments(self, arm: Arm) -> dict[str, Any]:
        """Generation arguments; with the spec in them they are no other arm's cache key."""
        arguments = dict(self.config.generation_kwargs)
        return arguments if arm.spec is None else {**arguments, SPEC: arm.spec.to_dict()}

    # -- judging and metrics

    @property
    def _predict_only(self) -> bool:
        return "bypass" in self._metric_fn_list

    def apply_filters(self) -> Any:
        """Judge all answers, unless the harness was asked for answers only.

        Raises:
            ValueFlowError: if an answer was to be steered by vector and was not.
        """
        check_answers(
            [
                (spec.fingerprint, instance.resps[0])
                for instance in self._instances
                if (spec := self.arms[instance.doc[ARM]].spec) is not None
            ]
        )
        if self._predict_only:
            for instance in self._instances:
                instance.filtered_resps[filter_module.FILTER] = instance.resps[0]
            self._record_protocol()
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
            known = name in numbers
            emitted[name] = Own.of(numbers[name], records) if known else Missing(records)
            # After <m>, so that the harness's own entry is overwritten.
            emitted[f"{name}_stderr"] = Missing(records, "of the whole run only")
        return emitted

    def aggregation(self) -> dict[str, Callable[[Sequence[Any]], Any]]:
        """Aggregates by metric; the errors are ours, so the harness adds none."""
        names = dict.fromkeys([*self._names(), *self._found])
        return {
            f"{name}{suffix}": partial(self._aggregate, name, suffix)
            for name in names
            for suffix in ("", "_stderr")
        } | {"bypass": lambda items: 999}

    def _aggregate(self, name: str, suffix: str, items: Sequence[Own | Missing]) -> float | str:
        if self._several_ranks and not self._gathered:
            # Every metric's items carry all records; the first to be aggregated serves all.
            self._gathered = True
            self._found = self._metrics([record for item in items for record in item.records])
            self._record_protocol()
        metric = self._found.get(name)
        number = None if metric is None else metric.stderr if suffix else metric.value
        return NO_NUMBER if number is None else number

    def higher_is_better(self) -> dict[str, bool | None]:
        """Direction of each metric; None where there is none."""
        return {
            name: HIGHER_IS_BETTER.get(name.rpartition("/")[2])
            for name in [*self._names(), *self._found]
        }

    def _record_protocol(self) -> None:
        """Leave protocol, profile and intervals in the results file."""
        said = self.config.metadata["valueflow"] = asked(
            self.settings, self.arms, self._chat_template
        )
        if self._predict_only:  # nobody has judged yet
            return
        said |= judged(self.settings, self._values(), self._found)
        said["protocol"] = self.settings.protocol(
            self._values(),
            self._queries,
            chat_template=self._chat_template,
            generation=generation_words(self.config.generation_kwargs, self._system),
        )
        if not said["calibrated"]:
            logger.warning(
                "%s: judge %s is uncalibrated; its results are comparable to nothing",
                self.config.task,
                self.settings.instrument().judge_profile.judge,
            )
