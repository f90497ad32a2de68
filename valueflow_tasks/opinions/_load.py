"""Surveys of others: OpinionQA in the released code's JSON, and data sets of the hub."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from valueflow_scorers import ValueFlowError

from ..vidb._duplicates import normalised
from ._survey import Question, Survey, split_of, synthetic_survey

HUB = "hub:"
_NO_ANSWER = ("refused", "dk refused", "no answer", "dk ref")
"""Options, normalised, that have no place in the order; they are left out."""


def load_survey(given: str = "synthetic") -> Survey:
    """A survey.

    Args:
        given: `synthetic`; a JSON or JSON Lines file of the release's items
            (`question, options, attribute, gold_distribution, id`); or `hub:<owner>/<name>`, also
            `hub:<owner>/<name>:<split>`, with such rows or with `question, options, selections`
            (a mapping from group to shares, as GlobalOpinionQA documents it). Questions of others
            are split by their words, three in ten for `dev`. Their options count as ordered.

    Raises:
        ValueFlowError: if there is no such survey, or an item lacks something.
    """
    if given == "synthetic":
        return synthetic_survey()
    if given.startswith(HUB):
        return make_survey(given, _hub_rows(given.removeprefix(HUB)))
    path = Path(given)
    if not path.is_file():
        raise ValueFlowError(
            f"survey={given!r}: give `synthetic`, a JSON file of items, or hub:<owner>/<name>"
        )
    return make_survey(given, _file_rows(path))


def _file_rows(path: Path) -> list[Any]:
    try:
        text = path.read_text("utf-8-sig")
        if path.suffix == ".jsonl":
            # Text may hold characters that `splitlines` takes for ends of lines.
            return [json.loads(line) for line in text.split("\n") if line.strip()]
        content = json.loads(text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueFlowError(f"cannot read the survey {path}: {error}") from None
    return content if isinstance(content, list) else [content]


def _hub_rows(given: str) -> Iterable[Any]:
    import datasets

    name, _, split = given.partition(":")
    try:
        found = datasets.load_dataset(name, split=split or None)
    except Exception as error:  # the hub's client raises many kinds; the remedy is the same
        raise ValueFlowError(
            f"cannot load hub:{given} ({type(error).__name__}: {error}): check the name, the "
            "network, and whether its licence has to be accepted"
        ) from None
    parts = list(found.values()) if isinstance(found, Mapping) else [found]
    return [dict(row) for part in parts for row in part]


def make_survey(name: str, rows: Iterable[Any]) -> Survey:
    """A survey from items, one per question and group, or per question.

    Raises:
        ValueFlowError: for an item that lacks something, by its number.
    """
    found: dict[str, Question] = {}
    for number, row in enumerate(rows, 1):
        where = f"{name}, item {number}"
        if not isinstance(row, Mapping) or not str(row.get("question") or "").strip():
            raise ValueFlowError(f"{where}: expected an object with 'question' and 'options'")
        text = str(row["question"]).strip()
        options = _strings(row.get("options"), where)
        kept = [i for i, one in enumerate(options) if normalised(one) not in _NO_ANSWER]
        answers = {
            group: _shares(shares, options, kept, where) for group, shares in _groups(row, where)
        }
        chosen = tuple(options[i] for i in kept)
        known = found.get(text)
        if known is None:
            given = row.get("id")
            own = f"item-{number}" if given in (None, "") else str(given)
            found[text] = Question(own, text, chosen, answers, split_of(text))
            continue
        if known.options != chosen:
            raise ValueFlowError(f"{where}: other options than further up for {text[:60]!r}")
        for group in answers.keys() & known.answers.keys():
            if not all(map(math.isclose, answers[group], known.answers[group])):
                raise ValueFlowError(
                    f"{where}: other answers of {group!r} than further up to {text[:60]!r}: keep "
                    "one of them"
                )
        found[text] = replace(known, answers={**known.answers, **answers})
    if not found:
        raise ValueFlowError(f"survey {name!r} holds no question")
    return Survey(name, _distinct(list(found.values())))


def _distinct(questions: Sequence[Question]) -> tuple[Question, ...]:
    """Questions whose ids differ: where a file repeats ids, each has its place added."""
    ids = [one.id for one in questions]
    if len(set(ids)) == len(ids):
        return tuple(questions)
    return tuple(replace(one, id=f"{one.id}-{place}") for place, one in enumerate(questions, 1))


def _strings(given: Any, where: str) -> list[str]:
    if isinstance(given, str):
        given = _literal(given, where)
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise ValueFlowError(f"{where}: 'options' is no list but {given!r}")
    return [str(one) for one in given]


def _groups(row: Mapping[str, Any], where: str) -> list[tuple[str, Any]]:
    if row.get("attribute") and row.get("gold_distribution") is not None:
        return [(str(row["attribute"]), row["gold_distribution"])]
    told = row.get("selections")
    if isinstance(told, str):
        told = _literal(told.removeprefix("defaultdict(<class 'list'>, ").removesuffix(")"), where)
    if not isinstance(told, Mapping) or not told:
        raise ValueFlowError(
            f"{where}: needs 'attribute' and 'gold_distribution', or 'selections' by group"
        )
    return [(str(group), shares) for group, shares in told.items() if shares]


def _literal(text: str, where: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise ValueFlowError(f"{where}: cannot read {text[:80]!r}") from None


def _shares(
    given: Any, options: Sequence[str], kept: Sequence[int], where: str
) -> tuple[float, ...]:
    if isinstance(given, Mapping):
        given = _in_order({str(key): one for key, one in given.items()}, options, where)
    try:
        numbers = [float(one or 0.0) for one in given]
        chosen = [numbers[i] for i in kept]
    except (TypeError, ValueError, IndexError):
        raise ValueFlowError(
            f"{where}: the distribution {given!r} does not fit {len(options)} options"
        ) from None
    whole = sum(chosen)
    if len(numbers) != len(options) or whole <= 0 or min(chosen) < 0:
        raise ValueFlowError(
            f"{where}: the distribution {given!r} does not fit {len(options)} options"
        )
    return tuple(one / whole for one in chosen)


def _in_order(given: Mapping[str, Any], options: Sequence[str], where: str) -> list[Any]:
    """Shares that name their options, by words or place, in the options' order."""
    places = {str(place): one for place, one in enumerate(options)}
    for name in given:
        if name not in options and name not in places and normalised(name) not in _NO_ANSWER:
            raise ValueFlowError(
                f"{where}: the distribution names {name!r}, which is none of {list(options)}"
            )
    return [given.get(one, given.get(place, 0.0)) for place, one in places.items()]
