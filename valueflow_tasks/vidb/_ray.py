"""The same ranking over Ray Data: texts streamed from their file, judges as actors.

The machine that plans knows ids only. Each round, Ray Data reads the texts in blocks, sends each
to the windows that hold it, and gathers a window's texts before a judge sees them. Every judging
actor appends what it judged to a shard of its own before it hands anything on. What a killed
worker had written is read from its shard, the rest is asked again: nothing is lost, and no
window that reached a shard is judged twice. Failed calls reach no shard. One machine is the same
code on a local Ray.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valueflow_scorers import Judgement, ValueFlowError
from valueflow_scorers._gather import side_by_side
from valueflow_scorers._portal import run_sync
from valueflow_scorers._records import fingerprint
from valueflow_scorers.judges import resolve_judge

from ._judgements import Place, failed_call
from ._judging import ask, outage
from ._rank_settings import RankSettings
from ._shards import Shard, Shards
from ._streams import assembled, parts, text_rows
from ._texts import Text

if TYPE_CHECKING:
    from ._rank import Ranking

MISSING = (
    "Ray is not installed: pip install 'valueflow-tasks[ray]', or leave out --ray; one machine "
    "needs none"
)
_BATCH = 64  # windows that a judging actor judges side by side
_PER_PARTITION = 20_000  # windows of the shuffle that gathers them


def import_ray() -> Any:
    """Ray, connected to a cluster or started on this machine.

    Raises:
        ValueFlowError: if it is not installed, naming the extra.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    try:
        import ray
    except ImportError:
        raise ValueFlowError(MISSING) from None
    if not ray.is_initialized():
        ray.init(
            address=os.environ.get("RAY_ADDRESS"),
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
        )
    return ray


class JudgingActor:
    """Judges batches of windows inside a Ray worker."""

    def __init__(self, settings: Mapping[str, Any], folder: str) -> None:
        """Open the judge and a shard."""
        self._settings = RankSettings(**settings)
        self._shard, self._shards = Shard(Path(folder)), Shards(Path(folder))
        self._known: set[str] = set()
        self._resolved = resolve_judge(self._settings.judge, [], journal=self._settings.journal)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[str]]:
        """Judge side by side what no shard holds yet; returns keys, and how calls failed."""
        self._known.update(row["key"] for row in self._shards.news())
        jobs = [json.loads(raw) for raw in batch["job"]]
        asked = [partial(self._one, job) for job in jobs if job["key"] not in self._known]
        failed = dict(run_sync(lambda: side_by_side(asked)))
        keys = [job["key"] for job in jobs]
        return {"key": keys, "failure": [failed.get(key, "") for key in keys]}

    async def _one(self, job: Mapping[str, Any]) -> tuple[str, str]:
        """Judge a window and write it down at once: what is written is never asked again."""
        window = self._settings.window([Text(*one) for one in job["texts"]])
        (judgement,) = await ask(self._resolved, [window])
        if failed_call(judgement.failure):
            return job["key"], str(judgement.failure)
        self._shard.write([{"key": job["key"], **_row(judgement)}])
        return job["key"], ""


@dataclass(frozen=True)
class RayJudging:
    """Judges planned windows on Ray; given to `Ranking.run` as `execute`."""

    texts: Path
    """The file of the texts, JSON Lines or parquet; on a cluster, one that all machines see."""
    folder: Path
    """Of the shards; on a cluster, one that all machines see."""
    workers: int = 2
    """Judging actors."""

    def __post_init__(self) -> None:
        if importlib.util.find_spec("ray") is None:
            raise ValueFlowError(MISSING)

    def __call__(self, ranking: Ranking, places: Sequence[Place]) -> None:
        """Judge windows and record them in the ranking's file."""
        if not places:
            return
        keys = {_key(ranking, place): place for place in places}
        shards = Shards(self.folder)
        known = {row["key"]: row for row in shards.news() if row["key"] in keys}
        left = {key: place for key, place in keys.items() if key not in known}
        failed: dict[str, str] = {}
        if left:
            failed = self._run(ranking, left)
            known.update((row["key"], row) for row in shards.news() if row["key"] in keys)
        found = {key: _judgement(row) for key, row in known.items()}
        found.update((key, Judgement(failure=how)) for key, how in failed.items())
        ranking.file.record([keys[key] for key in found], list(found.values()))
        if len(found) < len(places) and not failed:
            raise ValueFlowError(
                f"{len(places) - len(found)} windows came back from no worker: run the same "
                "command again to judge them"
            )

    def _run(self, ranking: Ranking, jobs: Mapping[str, Place]) -> dict[str, str]:
        """Have workers judge windows and write shards; returns how calls failed, by key."""
        import_ray()
        import ray
        import ray.data

        ray.data.DataContext.get_current().enable_progress_bars = False
        members = [ranking.file.plans[number][1][window] for number, window in jobs.values()]
        wanted, keys = ray.put(parts(members)), ray.put(list(jobs))
        # Judges are opened inside the actors; Ray restarts those that die and retries batches.
        judged = (
            text_rows(self.texts, wanted)
            .groupby("group", num_partitions=self.workers + len(jobs) // _PER_PARTITION)
            .map_groups(assembled, fn_kwargs={"names": keys}, batch_format="pandas")
            .map_batches(
                JudgingActor,
                fn_constructor_args=(asdict(ranking.settings), str(self.folder.resolve())),
                batch_size=_BATCH,
                compute=ray.data.ActorPoolStrategy(size=self.workers),
                num_cpus=0,  # they wait for calls
            )
        )
        failed: dict[str, str] = {}
        asked = 0
        for batch in judged.iter_batches(batch_size=None):
            asked += len(batch["key"])
            rows = zip(batch["key"], batch["failure"], strict=True)
            failed.update((str(key), str(how)) for key, how in rows if how)
            if outage(len(failed), asked):
                break
        return failed


def _key(ranking: Ranking, place: Place) -> str:
    members = ranking.file.plans[place[0]][1][place[1]]
    return fingerprint([dict(ranking.file.head), place, members])


def _row(judgement: Judgement) -> dict[str, Any]:
    form: dict[str, Any] = (
        {"failure": judgement.failure}
        if judgement.order is None
        else {"order": list(judgement.order)}
    )
    return {**form, "raw": judgement.raw} if judgement.raw else form


def _judgement(row: Mapping[str, Any]) -> Judgement:
    if "order" in row:
        return Judgement(order=tuple(row["order"]), raw=row.get("raw", ""))
    return Judgement(failure=str(row["failure"]), raw=row.get("raw", ""))
