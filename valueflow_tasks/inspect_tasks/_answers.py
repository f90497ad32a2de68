"""The task of a study's first phase: answers only, to be judged later."""

from __future__ import annotations

from collections.abc import Mapping

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset

from ..arms import make_arms
from ..compose import read_arm
from ..settings import Settings
from ._mistakes import told_in_words
from ._solver import answer_as_specified
from ._tasks import VERSION, generation_config, make_sample


@task
@told_in_words()
def valueflow_answers(
    arms: Mapping[str, list[str]],
    method: str = "definition",
    queries: str = "test",
    vectors: str = "",
) -> Task:
    """Answers to every query in some arms, unjudged.

    Args:
        arms: Values to measure later, by arm: `0`, `svt/power:+2`, `mft/care:-1~svt/power:+2`.
        method: `definition` sentences or `exemplars` in the prompt, or `vector`.
        queries: `core`, `dev`, `calibration`, `test`, `all`, or a path or pattern.
        vectors: Folder of fitted vectors, for `method=vector`.
    """
    values = list(dict.fromkeys(value for measure in arms.values() for value in measure))
    settings = Settings.parse(
        {"method": method, "queries": queries, "vectors": vectors, "values": values}
    )
    measure = {name: tuple(own) for name, own in arms.items()}
    made = make_arms(settings, [read_arm(name) for name in arms], measure, measure.get("0", ()))
    return Task(
        dataset=MemoryDataset(
            [make_sample(query, arm) for query in settings.query_set() for arm in made],
            name="valueflow_answers",
        ),
        solver=answer_as_specified(),
        config=generation_config(),
        name="valueflow_answers",
        version=VERSION,
        metadata={"valueflow": {"settings": settings.to_dict(), "answers_only": True}},
    )
