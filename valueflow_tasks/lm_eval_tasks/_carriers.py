"""How a spec gets through lm-eval's own model class, and how its cache is kept honest.

A request's arguments are the harness's cache key. A spec that stays in the generation arguments
splits batches by spec and reaches `generate`; one that is stripped makes the cache hook store
steered answers under the unsteered key. So a `str` subclass carries it past the sorting, and a
wrapped cache hook puts the original arguments back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from valueflow_scorers import ValueFlowError

from ..steering import SteeringSpec

SPEC = "valueflow"
"""Key of the generation arguments under which a request carries its spec, as a dict."""
_IDENTITY = "valueflow-steering"
"""Key of a cache file under which the steering of its writer stands."""


class SteeredPrompt(str):
    """A prompt that remembers what steers it and what it was called before."""

    spec: SteeringSpec | None
    """The request's own spec."""
    original: tuple[Any, ...]
    """The arguments under which the harness looks the answer up; the cache key."""

    @classmethod
    def of(cls, text: str, spec: SteeringSpec | None, original: tuple[Any, ...]) -> SteeredPrompt:
        """Attach both to a text."""
        made = cls(text)
        made.spec, made.original = spec, original
        return made


class SteeredAnswer(str):
    """An answer that says what steered it, also after it has been in a cache."""

    fingerprint: str
    """Of the spec; empty: the prompt steered."""
    losses: tuple[float | None, float | None]
    """Surprise to the unsteered model, under the plain query, of this answer and of the unsteered
    one, nats per token."""

    @classmethod
    def of(
        cls,
        text: str,
        fingerprint: str,
        losses: tuple[float | None, float | None] = (None, None),
    ) -> SteeredAnswer:
        """Mark a text."""
        made = cls(text)
        made.fingerprint, made.losses = fingerprint, losses
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return SteeredAnswer.of, (str(self), self.fingerprint, self.losses)


class RestoringHook:
    """A cache hook that stores answers under the arguments the harness knows."""

    def __init__(self, inner: Any) -> None:
        """Wrap the harness's hook."""
        self.inner = inner

    def add_partial(self, attribute: str, arguments: tuple[Any, ...], result: Any) -> None:
        """Store one answer."""
        text = arguments[0]
        if isinstance(text, SteeredPrompt):
            arguments = text.original
            if text.spec is not None:
                result = SteeredAnswer.of(result, text.spec.fingerprint)
        self.inner.add_partial(attribute, arguments, result)


def check_cache(entries: Any, file: str, spec: SteeringSpec | None) -> None:
    """Refuse a cache file that a run of another steering wrote, or that could be mistaken.

    Args:
        entries: The open cache, a mutable mapping.
        file: Its name.
        spec: What steers the whole model; None: nothing.

    Raises:
        ValueFlowError: if the model is steered and the name lacks the fingerprint, or the file
            belongs to another spec.
    """
    own = "unsteered" if spec is None else spec.fingerprint
    if spec is not None and own[:8] not in file:
        raise ValueFlowError(
            f"--use_cache {file}: requests do not say that the whole model is steered, so the "
            f"file's name has to: let it contain {own[:8]}"
        )
    writer = entries.get(_IDENTITY)
    if writer is None and spec is not None and len(entries):
        raise ValueFlowError(
            f"--use_cache {file} holds answers of another run that named no steering: use a "
            "new file"
        )
    if writer is not None and writer != own:
        raise ValueFlowError(
            f"--use_cache {file} belongs to a run with steering {writer[:8]}, this one has "
            f"{own[:8]}: use another file"
        )
    entries[_IDENTITY] = own


def own_spec(arguments: Mapping[str, Any]) -> SteeringSpec | None:
    """The spec that a request's generation arguments carry."""
    return SteeringSpec.from_dict(arguments[SPEC]) if SPEC in arguments else None
