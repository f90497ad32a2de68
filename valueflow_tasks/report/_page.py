"""The page: one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from typing import Any

from markupsafe import Markup
from valueflow_scorers import ValueFlowError

from .. import __version__
from ..analysis import Runs
from . import _result_sections as results
from . import _trust_sections as trust
from ._answers import BUDGET, Shelf, shelves
from ._blocks import Block, Prose, Section
from ._headline import headline, warnings
from ._labels import interval, number, value_name
from ._parts import Contents, Part
from ._pictures import Pictures
from ._settings_section import settings, titles


@dataclass(frozen=True)
class Chapter:
    """A part as the page has it."""

    prefix: str
    """Of its ids."""
    title: str
    """Empty where the page has one part."""
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Shelves:
    """Answers of one value, folded."""

    value: str
    shelves: tuple[Shelf, ...]
    kind: str = field(default="answers", init=False)


def style() -> Markup:
    """The style sheet that all pages share."""
    return Markup((files("valueflow_tasks.report") / "data" / "style.css").read_text("utf-8"))


def environment() -> Any:
    """Jinja with escaping on, and the words for numbers."""
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError:
        raise ValueFlowError(
            "a report needs jinja2: pip install 'valueflow-tasks[report]'"
        ) from None
    found = Environment(
        loader=PackageLoader("valueflow_tasks.report", "data"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"number": number, "value_name": value_name}
    found.globals |= {"interval": interval}
    return found


def render(contents: Contents, runs: Runs, drawn: Sequence[Pictures], lines: int) -> str:
    """The whole page.

    Args:
        contents: What to show.
        runs: Where it comes from.
        drawn: Pictures of each part.
        lines: How many answers the file beside the page holds.
    """
    several = len(contents.parts) > 1
    named = titles(contents.parts) if several else [""] * len(contents.parts)
    chapters = [
        Chapter(one.prefix, title, tuple(_sections(part, one, lines)))
        for part, title, one in zip(contents.parts, named, drawn, strict=True)
    ]
    closing = [section for section in (trust.judges(runs), settings(contents)) if section]
    created = sorted(run.created[:10] for run in contents.runs if run.created)
    template = environment().get_template("page.html")
    page: str = template.render(
        style=style(),
        title=_title(contents),
        contents=contents,
        facts=_facts(contents),
        dates=" to ".join(dict.fromkeys([created[0], created[-1]])) if created else "",
        warnings=warnings(contents),
        chapters=chapters,
        closing=closing,
        version=__version__,
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
    )
    return page


def _sections(part: Part, drawn: Pictures, lines: int) -> Iterable[Section]:
    yield headline(part)
    yield trust.sureness(part)
    yield results.profile(part, drawn)
    yield results.steering(part, drawn)
    yield results.composition(part, drawn)
    yield results.leakage(part)
    yield results.side_effects(part, drawn)
    yield trust.judge(part, drawn)
    yield trust.outcomes(part, drawn)
    yield _answers(part, lines)


def _answers(part: Part, lines: int) -> Section:
    """Median and extremes, as far as the page's size allows."""
    by_value: dict[str, list[Shelf]] = {}
    size, left_out = 0, 0
    for shelf in shelves(part):
        own = by_value.setdefault(shelf.value, [])
        if size + shelf.size > BUDGET:
            left_out += 1
            continue
        size += shelf.size
        own.append(shelf)
    more = f" {left_out} more groups did not fit and are in the file only." if left_out else ""
    blocks: list[Block] = [
        Prose(
            "The median and both extremes of every value and level, with 90 % intervals of the "
            "single answer. The number of an answer is drawn toward neutral as far as its reading "
            "leaves it in doubt; a mean over answers is not, so it can lie below the lowest or "
            f"above the highest. All {lines:,} answers: answers.jsonl beside this page.{more}"
        )
    ]
    blocks += [Shelves(value, tuple(own)) for value, own in by_value.items() if own]
    known = any(by_value.values())
    return Section(
        "answers",
        "Answers",
        blocks if known else (),
        "The logs hold no answers with a number (lm-eval: --log_samples).",
    )


def _title(contents: Contents) -> str:
    models = list(dict.fromkeys(run.model for run in contents.runs))
    who = models[0] if len(models) == 1 else f"{len(models)} models"
    steered = any(part.conditions or len(part.points) for part in contents.parts)
    if steered:
        return f"Values of {who}, and how far they can be steered"
    return f"Values of {who}"


def _facts(contents: Contents) -> list[tuple[str, str]]:
    """Counts under the title."""
    values = {value for part in contents.parts for value in part.rows["value"]}
    queries = {query for part in contents.parts for query in part.rows["query_id"]}
    answers = sum(int(part.outcomes["answers"].sum()) for part in contents.parts)
    counts = [
        (len({run.model for run in contents.runs}), "model"),
        (len(values), "value"),
        (len(queries), "query"),
        (answers, "measured answer"),
        (len(contents.runs), "run"),
    ]
    return [
        (f"{n:,}", word if n == 1 else {"query": "queries"}.get(word, f"{word}s"))
        for n, word in counts
    ]
