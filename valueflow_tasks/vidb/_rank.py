"""Have windows of texts judged, in rounds, until the texts are known well enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from valueflow_scorers import ValueFlowError, Window
from valueflow_scorers.judges import ResolvedJudge, resolve_judge

from ._design import (
    Windows,
    active_windows,
    as_ids,
    next_kind,
    other_windows,
    uniform_windows,
)
from ._fit import Fit, fit
from ._index import TextIndex
from ._judgements import JudgementFile, Members, Place, comparisons
from ._judging import OUTAGE, judge_here
from ._rank_settings import RankSettings
from ._scale import FEWEST_NEUTRAL, scale
from ._texts import Text, TextFile

FIRST_ROUND = 4
"""Windows per text in the first, uniform round."""
LATER_ROUNDS = 1
"""Windows per text in each later round."""
_DRAWS = 8

Execute = Callable[["Ranking", Sequence[Place]], None]
"""Judges these planned windows and records them in the ranking's file."""


class Ranking:
    """Texts on their way to a file of judgements; resumable at any point."""

    def __init__(self, texts: TextFile | TextIndex, output: Path, settings: RankSettings) -> None:
        """Check everything, open or continue the output.

        Args:
            texts: What to rank; an index where `execute` streams the words itself.
            output: The file of judgements.
            settings: How.

        Raises:
            ValueFlowError: for an unknown judge, settings that cannot be met, or an output
                that was begun with other texts or settings.
        """
        settings.check(texts)
        self.texts, self.settings = texts, settings
        head = {
            "value": settings.value,
            "definition": settings.definition,
            "judge": self.resolved.name,
            "prompt_version": self.resolved.prompt_version,
            "k": settings.k,
            "seed": settings.seed,
            "texts": texts.fingerprint,
        }
        self.file = JudgementFile.open(output, head, texts.words)
        self.fitted: Fit | None = None
        self._asked = {members for _, windows in self.file.plans for members in windows}

    @cached_property
    def resolved(self) -> ResolvedJudge:
        """The judge."""
        return resolve_judge(self.settings.judge, [], journal=self.settings.journal)

    @cached_property
    def _by_id(self) -> Mapping[str, Text]:
        if isinstance(self.texts, TextIndex):
            raise ValueFlowError(
                f"the words of {self.texts.path} are on disk: give what `read_texts` returns to "
                "rank here"
            )
        return {text.id: text for text in self.texts.texts}

    @property
    def most(self) -> int:
        """How many windows `repeats` allows."""
        return -(-len(self.texts.ids) * self.settings.repeats // self.settings.k)

    def run(
        self,
        execute: Execute | None = None,
        report: Callable[[str], None] = lambda line: None,
    ) -> JudgementFile:
        """Judge what is left, round by round, until nothing is left to ask.

        Windows whose calls fail stay `missing`: a later round, or a later run, asks again.

        Args:
            execute: How windows are judged; None: here, batch by batch.
            report: Takes a line per round.

        Returns:
            The file of judgements.

        Raises:
            ValueFlowError: if most calls of a round fail, or the judge orders no window.
        """
        judge = execute or judge_here
        while True:
            judge(self, self.file.missing())
            self._retry(judge)
            self._check_calls()
            if not self.file.orders and self.file.failures:
                reasons = Counter(self.file.failures.values()).most_common(3)
                raise ValueFlowError(
                    f"judge {self.resolved.name!r} ordered none of {len(self.file.failures)} "
                    f"windows: {dict(reasons)}; `vidb rank` needs a judge that orders windows of "
                    "these texts"
                )
            left = self.most - self.file.planned("uniform") - self.file.planned("active")
            known = self._known() if self.file.plans and (left > 0) else None
            if known is not None:
                report(self._line(known))
            if left <= 0 or (known is not None and self._reached(known)):
                return self.file
            if not self._plan(left, known):
                report("every window of these texts was asked")
                return self.file

    def window(self, place: Place) -> Window:
        """A planned window as the judge sees it."""
        texts = [self._by_id[name] for name in self.file.plans[place[0]][1][place[1]]]
        return self.settings.window(texts)

    def _retry(self, judge: Execute) -> None:
        """Ask once more, newly shuffled, for the windows that the last round lost."""
        lost = [
            self.file.plans[number][1][window]
            for number, window in self.file.failures
            if self.file.plans[number][0] != "retry"
        ]
        done = self.file.planned("retry")
        if len(lost) <= done:
            return
        rng = self._generator()
        again = [
            tuple(members[i] for i in rng.permutation(len(members))) for members in lost[done:]
        ]
        self._asked.update(again)
        self.file.plan("retry", again)
        judge(self, self.file.missing())

    def _check_calls(self) -> None:
        """Stop where planning on would rest on what an outage left."""
        kinds = [kind for kind, _ in self.file.plans]
        last = max((i for i, kind in enumerate(kinds) if kind != "retry"), default=0)
        asked = sum(len(windows) for _, windows in self.file.plans[last:])
        lost = [place for place in self.file.missing() if place[0] >= last]
        if len(lost) > OUTAGE * asked:
            reasons = Counter(self.file.unreached.values()).most_common(3)
            raise ValueFlowError(
                f"{len(lost)} of the {asked} windows of this round were not judged, calls to "
                f"{self.resolved.name!r} failed: {dict(reasons)}; what was judged is kept, run "
                "the same command again when the judge can be reached"
            )

    def _generator(self) -> np.random.Generator:
        return np.random.default_rng([self.settings.seed, len(self.file.plans)])

    def _known(self) -> Fit | None:
        """What is known so far; None while texts are still out of reach of each other."""
        data = comparisons(self.texts, [self.file])
        if len(data.unreachable()):
            return None
        start = None if self.fitted is None else self.fitted.utilities
        self.fitted = found = fit(data, tolerance=0.01, start=start)
        return found

    def stderr(self, known: Fit) -> float:
        """Mean standard error: points, or the judge's noise where there are no neutral texts."""
        if len(self.texts.neutral) < FEWEST_NEUTRAL:
            return float(np.sqrt(known.variances).mean())
        return float(scale(known, self.texts.neutral).stderrs.mean())

    def _reached(self, known: Fit) -> bool:
        target = self.settings.target_stderr
        return target is not None and self.stderr(known) <= target

    def _line(self, known: Fit) -> str:
        unit = "points" if len(self.texts.neutral) >= FEWEST_NEUTRAL else "of the judge's noise"
        return f"{len(self.file.orders)} windows, mean stderr {self.stderr(known):.2f} {unit}"

    def _plan(self, left: int, known: Fit | None) -> int:
        """Plan a round; returns how many windows it has."""
        n, k, rng = len(self.texts.ids), self.settings.k, self._generator()
        first = not self.file.plans
        wanted = min(left, -(-n * (FIRST_ROUND if first else LATER_ROUNDS) // k))
        uniform, active = wanted, 0
        if known is not None and self.settings.active:
            uniform, active = next_kind(
                self.file.planned("uniform"), self.file.planned("active"), wanted
            )
        planned = self._add("uniform", uniform, lambda count: uniform_windows(rng, n, k, count))
        if known is not None and active:
            u, v = known.utilities, known.variances
            planned += self._add(
                "active", active, lambda count: active_windows(rng, u, v, k, count)
            )
        return planned

    def _add(self, kind: str, count: int, draw: Callable[[int], Windows]) -> int:
        """Plan windows that were not asked before: the same question has the same answer."""
        ids = self.texts.ids
        fresh: dict[Members, None] = {}
        for _ in range(_DRAWS):
            if len(fresh) >= count:
                break
            for members in as_ids(draw(count - len(fresh)), ids):
                if members not in self._asked:
                    fresh[members] = None
        if len(fresh) < count:  # few texts: most windows were asked already
            asked = self._asked | set(fresh)
            others = other_windows(self._generator(), ids, self.settings.k, count, asked)
            fresh.update(dict.fromkeys(others))
        chosen = list(fresh)[:count]
        if chosen:
            self._asked.update(chosen)
            self.file.plan(kind, chosen)
        return len(chosen)
