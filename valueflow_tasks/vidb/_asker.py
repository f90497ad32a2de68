"""Questions that are not windows of a response: gaps, links, plausibility, votes.

They go to the same models, and into the same journal, as windows do.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from valueflow_scorers import Judgement, ValueFlowError
from valueflow_scorers._gather import side_by_side
from valueflow_scorers._journal import Journal, default_folder, open_journal
from valueflow_scorers._portal import run_sync
from valueflow_scorers._records import fingerprint
from valueflow_scorers.judges.prompts import visible
from valueflow_scorers.judges.simulated import SimulatedJudge

PROMPT_VERSION = "vidb-2"
"""Bumped with every change of wording; replies are filed under it."""

_ITEM = re.compile(
    r"<<<item ([A-Z]) (?P<code>\w+)>>>\n.*?^Answer: (?P<text>.*?)\n<<<end \1 (?P=code)>>>",
    re.DOTALL | re.MULTILINE,
)
_KIND = re.compile(r"^Question kind: (\w+)$", re.MULTILINE)


@runtime_checkable
class Asker(Protocol):
    """Whatever answers questions in words."""

    async def ask(self, prompts: Sequence[str]) -> Sequence[str]:
        """One reply per prompt, in the same order; an empty reply is a failure."""
        ...


@dataclass(frozen=True)
class Item:
    """A text to be asked about."""

    text: str
    """The words."""
    query: str | None = None
    """The question they answer, if any."""
    value: str = ""
    """The value for which they are to be read, where items differ in it."""


def items_text(items: Sequence[Item]) -> str:
    """Questions and answers to be asked about, lettered A, B, … and fenced: data, never orders."""
    content = "\x1e".join(f"{item.query}\x1f{item.text}" for item in items)
    code = hashlib.sha256(content.encode()).hexdigest()[:12]
    blocks = []
    for letter, item in zip("ABCDEFGHIJ", items, strict=False):
        named = f"Value: {item.value}\n" if item.value else ""
        asked = f"Question: {visible(item.query or '(none)')}\nAnswer: {visible(item.text)}"
        fence = f"{letter} {code}"
        blocks.append(f"<<<item {fence}>>>\n{named}{asked}\n<<<end {fence}>>>")
    return "\n\n".join(blocks)


@dataclass
class ModelAsker:
    """A language model, through Inspect."""

    model: str
    """An Inspect model name."""

    @property
    def name(self) -> str:
        """What its replies are filed under."""
        return f"asker:{self.model}"

    async def ask(self, prompts: Sequence[str]) -> Sequence[str]:
        """Replies, asked side by side; a failed call gives an empty one."""
        from inspect_ai.model import GenerateConfig, get_model

        try:
            model = get_model(self.model)
        except (ValueError, ImportError) as error:
            raise ValueFlowError(f"asker {self.model!r}: {error}") from error
        config = GenerateConfig(temperature=0.0)

        async def one(prompt: str) -> str:
            try:
                output = await model.generate(prompt, config=config, cache=False)
            except Exception:  # providers raise anything; one call must not end the run
                return ""
            return str(output.completion)

        return await side_by_side([partial(one, prompt) for prompt in prompts])


@dataclass
class JournaledAsker:
    """An asker whose replies are looked up in a journal first, and written to it."""

    inner: Asker
    """Who is asked."""
    name: str
    """What its replies are filed under."""
    journal: Journal
    """Where they are kept."""

    async def ask(self, prompts: Sequence[str]) -> Sequence[str]:
        """Replies; a question that was answered before is not asked again."""
        keys = {one: fingerprint([self.name, PROMPT_VERSION, one]) for one in prompts}
        fresh = [one for one, key in keys.items() if self.journal.find(key) is None]
        await side_by_side([partial(self._one, prompt, keys[prompt]) for prompt in fresh])
        found = (self.journal.find(keys[prompt]) for prompt in prompts)
        return ["" if one is None else one.raw for one in found]

    async def _one(self, prompt: str, key: str) -> None:
        (reply,) = await self.inner.ask([prompt])
        if reply:
            # Journals hold judgements: a reply is the raw part of a trivial one.
            self.journal.write(key, self.name, PROMPT_VERSION, Judgement(order=(0,), raw=reply))


@dataclass
class SimulatedAsker:
    """Answers gaps and cross-value windows from known intensities, and nothing else."""

    truth: Mapping[str, float]
    """Intensity per text, points."""
    noise: float = 1.0
    """Logistic scale of the perceived difference, points."""
    name: str = field(default="simulated", init=False)

    def __post_init__(self) -> None:
        # Prompts show what people can see of a text.
        self._seen = {visible(text): intensity for text, intensity in self.truth.items()}

    async def ask(self, prompts: Sequence[str]) -> Sequence[str]:
        """`1` or `2` per prompt; an empty reply to what it does not know."""
        return [self._one(prompt) for prompt in prompts]

    def _one(self, prompt: str) -> str:
        kind = _KIND.search(prompt)
        seen = [self._seen.get(match["text"]) for match in _ITEM.finditer(prompt)]
        known = [one for one in seen if one is not None]
        if kind is None or len(known) != len(seen):
            return ""
        if kind[1] == "gap" and len(known) == 4:
            excess = abs(known[0] - known[1]) - abs(known[2] - known[3])
        elif kind[1] == "link" and len(known) == 2:
            excess = known[0] - known[1]
        else:
            return ""
        digest = hashlib.sha256(prompt.encode()).digest()[:8]
        rng = np.random.default_rng(int.from_bytes(digest, "big"))
        return "1" if excess + self.noise * rng.logistic() > 0 else "2"


def resolve_asker(name: str | Asker, journal: str = "auto") -> Asker:
    """The asker of that name.

    Args:
        name: `simulated:noise=1:truth=FILE`, or an Inspect model name, or an asker.
        journal: Folder of a model's replies, `auto` or `none`.

    Raises:
        ValueFlowError: for options that cannot be read.
    """
    if not isinstance(name, str):
        return name
    if name.partition(":")[0] == "simulated":
        known = SimulatedJudge.parse(name.partition(":")[2], [])
        truth = {text: one for (_, text), one in known._known.items()} | dict(known._told)
        return SimulatedAsker(truth, known.noise)
    asker = ModelAsker(name)
    if journal == "none":
        return asker
    folder = str(default_folder() if journal == "auto" else Path(journal))
    return JournaledAsker(asker, asker.name, open_journal(folder))


def ask_all(asker: Asker, prompts: Sequence[str]) -> list[str]:
    """Replies to all prompts; safe inside a running event loop.

    Raises:
        ValueFlowError: if the asker returns another number of replies.
    """
    if not prompts:
        return []
    replies = list(run_sync(lambda: asker.ask(prompts)))
    if len(replies) != len(prompts):
        raise ValueFlowError(
            f"the asker gave {len(replies)} replies to {len(prompts)} prompts: return exactly one "
            "per prompt"
        )
    return replies


def asker_name(asker: Asker) -> str:
    """What an asker is called in reports."""
    return str(getattr(asker, "name", type(asker).__name__))
