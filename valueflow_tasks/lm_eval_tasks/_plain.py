"""Requests of our own tasks, as a model meets them: what steers them, and what all ask plainly."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lm_eval.api.instance import Instance

from ..steering import SteeringSpec
from ._base import ARM
from ._carriers import SteeredAnswer

Specs = Sequence[SteeringSpec | None]


def is_ours(request: Instance) -> bool:
    """Whether a request is of a task of ours."""
    return isinstance(request.doc, dict) and {ARM, "measure", "settings"} <= set(request.doc)


def are_steered(requests: Sequence[Instance], specs: Specs) -> list[bool]:
    """Which requests ask for steered answers, by the specs they carry or in their words."""
    return [
        spec is not None or (is_ours(one) and bool(one.doc.get("target") or one.doc.get("targets")))
        for one, spec in zip(requests, specs, strict=True)
    ]


def plain_contexts(requests: Sequence[Instance], specs: Specs) -> list[str | None]:
    """The contexts under which the unsteered model is to read the answers, for their fluency.

    Vectors leave the context as it is; where the prompt steers, it is that of the same document
    unsteered.

    Returns:
        One for each request; None where it is not among the requests, or where nothing that is
        steered shares it, so that nobody asks.
    """
    steered = are_steered(requests, specs)
    rows = list(zip(requests, specs, steered, strict=True))
    unsteered = {(one.task_name, one.doc_id): one.args[0] for one, _, acts in rows if not acts}
    contexts = [
        unsteered.get((one.task_name, one.doc_id)) if acts and spec is None else one.args[0]
        for one, spec, acts in rows
    ]
    asked = {context for context, acts in zip(contexts, steered, strict=True) if acts}
    return [context if context in asked else None for context in contexts]


def with_losses(
    requests: Sequence[Instance],
    specs: Specs,
    answers: Sequence[str],
    read: Callable[[list[str], list[str]], Sequence[float | None]],
) -> list[str]:
    """Answers, the steered ones saying what steered them and how surprising they are.

    Args:
        requests: What was asked.
        specs: What each carried.
        answers: To each.
        read: Contexts and answers -> surprise to the unsteered model, nats per token.
    """
    pairs = list(zip(plain_contexts(requests, specs), answers, strict=True))
    told = list(dict.fromkeys((context, text) for context, text in pairs if context is not None))
    found = read([context for context, _ in told], [text for _, text in told]) if told else ()
    losses: dict[tuple[str | None, str], float | None] = dict(zip(told, found, strict=True))
    rows = list(zip(pairs, specs, are_steered(requests, specs), strict=True))
    plain = {context: losses.get((context, text)) for (context, text), _, acts in rows if not acts}
    return [
        SteeredAnswer.of(
            text,
            "" if spec is None else spec.fingerprint,
            (losses.get((context, text)), plain.get(context)),
        )
        if acts
        else text
        for (context, text), spec, acts in rows
    ]
