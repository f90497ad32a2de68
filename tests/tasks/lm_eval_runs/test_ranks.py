"""Several ranks share a run and give what one gives."""

from __future__ import annotations

import json
import pickle
import threading
from typing import Any

import pytest
from lm_eval.evaluator import evaluate
from lm_eval.tasks import TaskManager
from lm_eval.utils import handle_non_serializable

from valueflow_tasks.lm_eval_tasks import ControlLM, SteerTask
from valueflow_tasks.lm_eval_tasks._link import config_folder
from valueflow_tasks.queries import load_queries

POWER = "valueflow_steer_svt_power"


class _Refuses(ControlLM):
    """An oracle that refuses the second query at every level."""

    def generate_until(self, requests: Any, **given: Any) -> list[str]:
        second = load_queries("test")[1].text
        return [
            "I'm sorry, but I can't help with that request." if second in one.args[0] else answer
            for one, answer in zip(requests, super().generate_until(requests, **given), strict=True)
        ]


class _Rank(_Refuses):
    """One of several processes, here threads, that share the work."""

    def __init__(self, rank: int, meeting: threading.Barrier, board: dict[Any, Any]) -> None:
        super().__init__("oracle")
        self._rank, self._world_size = rank, meeting.parties
        self._meeting, self._board, self._round = meeting, board, 0
        self._device = "cpu"
        self.asked = 0

    def generate_until(self, requests: Any, **given: Any) -> list[str]:
        self.asked += len(requests)
        answers = super().generate_until(requests, **given)
        # What the harness asks again only to keep step is nobody's answer.
        repeated = [any(one is other for other in requests[:i]) for i, one in enumerate(requests)]
        return ["padding" if again else a for a, again in zip(answers, repeated, strict=True)]

    def _all(self, thing: Any) -> list[Any]:
        self._round += 1
        self._board[self._round, self.rank] = pickle.dumps(thing)  # as between processes
        self._meeting.wait(60)
        ranks = range(self.world_size)
        return [pickle.loads(self._board[self._round, rank]) for rank in ranks]

    def all_gather(self, tensor: Any) -> Any:
        import torch

        return torch.stack(self._all(tensor))

    def gather_object(self, obj: Any, dst: int = 0) -> Any:
        everything = self._all(obj)
        return everything if self.rank == dst else None

    def barrier(self) -> None:
        self._meeting.wait(60)


def _on_ranks(count: int, limit: int, metadata: dict[str, Any]) -> tuple[Any, list[_Rank]]:
    meeting, board = threading.Barrier(count), {}
    models = [_Rank(rank, meeting, board) for rank in range(count)]
    results: dict[int, Any] = {}

    def one(model: _Rank) -> None:
        try:
            manager = TaskManager(
                include_path=str(config_folder()), include_defaults=False, metadata=metadata
            )
            results[model.rank] = evaluate(
                lm=model, task_dict=manager.load([POWER]), limit=limit, log_samples=True
            )
        except BaseException as error:
            results[model.rank] = error
            meeting.abort()

    threads = [threading.Thread(target=one, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for found in results.values():
        if isinstance(found, BaseException):
            raise found
    return results[0], models


@pytest.fixture(scope="module")
def ranked(quick, records):
    """A run of three queries on two ranks, and how often its metrics were computed."""
    pytest.importorskip("torch")
    computed = []
    plain = SteerTask._metrics

    def counting(self: Any, records: Any) -> Any:
        computed.append(len(records))
        return plain(self, records)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SteerTask, "_metrics", counting)
        found, models = _on_ranks(2, 3, quick)
    return found, models, computed


def test_several_ranks_give_what_one_gives(run_lm_eval, quick, ranked, numbers, records, recorded):
    shared, models, _ = ranked
    alone = run_lm_eval(POWER, limit=3, model=_Refuses(), **quick)
    # The second rank has one query of three, for which nothing is scored, and repeats its last
    # request to keep step.
    assert [model.asked for model in models] == [10, 10]
    ours, theirs = numbers(shared), numbers(alone)
    emitted = {name: one for name, one in ours.items() if one != "N/A"}
    assert emitted == pytest.approx(theirs, abs=1e-9)
    by_id = {record["query_id"] + str(record["level"]): record for record in records(shared)}
    assert len(by_id) == 15
    for record in records(alone):
        assert by_id[record["query_id"] + str(record["level"])] == record
    assert recorded(shared)["protocol"] == recorded(alone)["protocol"]


def test_several_ranks_compute_their_metrics_once(ranked):
    _, models, computed = ranked
    assert sum(count == 15 for count in computed) == 1
    assert len(computed) <= 1 + len(models)


def test_a_group_with_a_task_that_has_no_number_has_none_either(quick, task_name):
    manager = TaskManager(include_path=str(config_folder()), include_defaults=False, metadata=quick)
    loaded = manager.load(["valueflow_steer_mft"])
    keys = ("tracking", "tracking_stderr", "steerability", "steerability_stderr")
    results = {name: {f"{key},valueflow": 0.5 for key in keys} for name in loaded["tasks"]}
    nothing = loaded["tasks"][task_name("mft/care")].aggregation()  # as on ranks that found none
    results[task_name("mft/care")] = {f"{key},valueflow": nothing[key]([]) for key in keys}
    total = loaded["groups"]["valueflow_steer_mft"].aggregate(results)
    written = json.loads(json.dumps(total, default=handle_non_serializable))
    assert {written[f"{key},valueflow"] for key in keys} == {"N/A"}
