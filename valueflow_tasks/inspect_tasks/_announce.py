"""What a log's header says about the measurement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from inspect_ai.hooks import Hooks, TaskStart, hooks
from inspect_ai.model import get_model
from valueflow_scorers._records import fingerprint

from ..prompts import GENERATION, telling
from ..queries import Query
from ..settings import Settings
from ._grader import with_grader
from ._template import templated

HEADER = "valueflow"
"""Key of the log's metadata under which it stands."""
_MEASURED, _TEMPLATE = "measured", "chat_template"
_ANSWERS_ONLY = "answers_only"
"""Entry of a header whose answers are judged later, in a study."""


def announcement(
    settings: Settings,
    values: Sequence[str],
    queries: Sequence[Query],
    cut: Sequence[str] = (),
    generation: Mapping[str, Any] = GENERATION,
    chat_template: bool = True,
) -> dict[str, Any]:
    """Settings, protocol, judge profile and links.

    Args:
        settings: How answers are measured.
        values: The values they are measured on.
        queries: Those that are put under every way of steering.
        cut: Ids of samples of queries that are put under some of them only.
        generation: How answers are generated.
        chat_template: Whether the model's template is applied.
    """
    protocol = settings.protocol(
        values, queries, chat_template=chat_template, generation=generation
    )
    profile = settings.instrument().judge_profile
    return {
        "settings": settings.to_dict(),
        _MEASURED: list(values),
        _TEMPLATE: chat_template,
        "protocol": fingerprint([protocol, *cut]) if cut else protocol,
        "profile": profile.fingerprint,
        "calibrated": profile.calibrated,
        **settings.link_state(values),
    }


@hooks(name="valueflow", description="states judge and protocol of ValueFlow's own tasks")
class Announcer(Hooks):
    """Brings the announcement of our own tasks up to date with the run.

    A task does not know which model will be under test or bound to `grader`, how it will
    generate, nor what --limit leaves of the samples: Inspect tells it only when it starts.
    Inspect asks hooks to leave the spec alone, because whatever they change stands in the
    finished log; here that is the purpose, and nothing but our own entry is touched.
    """

    async def on_task_start(self, data: TaskStart) -> None:
        """State the judge and the protocol that are in force."""
        header = data.spec.metadata or {}
        about = header.get(HEADER)
        if about is None or not {_MEASURED, _ANSWERS_ONLY} & set(about):
            return
        template = templated(get_model())
        if _ANSWERS_ONLY in about:
            header[HEADER] = {**about, _TEMPLATE: template}
            return
        settings = Settings.parse(about["settings"])
        ids = [str(name) for name in data.spec.dataset.sample_ids or []]
        whole, cut = asked(settings.query_set(), data.spec.dataset.samples or len(ids), ids)
        # Inspect merges them in this order: the task's and the eval's win over the model's own.
        model, run = data.spec.model_generate_config, data.plan.config
        generation = telling(model.model_dump(mode="json"), run.model_dump(mode="json"))
        told = announcement(
            with_grader(settings), about[_MEASURED], whole, cut, generation, template
        )
        header[HEADER] = {**about, **told}  # the entry itself is the task's, which may run again


def asked(
    queries: Sequence[Query], samples: int, ids: Sequence[str]
) -> tuple[list[Query], list[str]]:
    """What a run puts of a task.

    Args:
        queries: Of the task.
        samples: How many samples the task has: one per query and way of steering.
        ids: Of the samples that are run, `<query>:<way of steering>`.

    Returns:
        The queries that are put under every way of steering, and the ids of samples that
        belong to the others.
    """
    arms = samples // max(len(queries), 1)
    put = Counter(name.partition(":")[0] for name in ids)
    whole = [query for query in queries if put[query.id] == arms]
    known = {query.id for query in whole}
    return whole, sorted(name for name in ids if name.partition(":")[0] not in known)
