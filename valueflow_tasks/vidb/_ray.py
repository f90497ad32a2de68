"""The same ranking over Ray Data: texts and windows streamed, judges as actors.

Every actor appends what it judged to a shard of its own before it hands anything on. What a
killed worker had written is read from its shard, the rest is asked again: nothing is lost,
and no window that reached a shard is judged twice. One machine is the same code on a local Ray.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valueflow_scorers import Judgement, ValueFlowError, Window
from valueflow_scorers._records import fingerprint
from valueflow_scorers.judges import resolve_judge

from ._rank import Place, ask
from ._rank_settings import RankSettings
from ._texts import Text

if TYPE_CHECKING:
    from ._rank import Ranking

MISSING = (
    "Ray is not installed: pip install 'valueflow-tasks[ray]', or leave out --ray; one machine "
    "needs none"
)
_BATCH = 64


def import_ray() -> Any:
    """Ray, connected to a cluster or started on this machine.

    Raises:
        ValueFlowError: if it is not installed, naming the extra.
    """
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


class Shard:
    """What one worker has judged: an append-only file that is read by all."""

    def __init__(self, folder: Path) -> None:
        """Name a new file; it is made with the first entry."""
        self._path = folder / f"{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append, and hand it to the operating system before returning."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as handle:
            handle.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_shards(folder: Path) -> dict[str, dict[str, Any]]:
    """Everything judged so far, by key; a line that a kill cut short is left out."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        content = path.read_bytes()
        for line in content[: content.rfind(b"\n") + 1].splitlines():
            try:
                row = json.loads(line)
                found[row["key"]] = row
            except (json.JSONDecodeError, KeyError, TypeError):
                continue
    return found


class JudgingActor:
    """Judges batches of windows inside a Ray worker."""

    def __init__(self, settings: Mapping[str, Any], folder: str) -> None:
        """Open the judge and a shard."""
        self._settings = RankSettings(**settings)
        self._folder = Path(folder)
        self._shard = Shard(self._folder)
        self._resolved = resolve_judge(self._settings.judge, [], journal=self._settings.journal)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[str]]:
        """Judge what no shard holds yet, one write per window; returns the keys."""
        known = read_shards(self._folder)
        jobs = [json.loads(raw) for raw in batch["job"]]
        # One by one where a call costs something: what is written is never asked again.
        for job in jobs:
            if job["key"] not in known:
                window = _window(self._settings, job["items"])
                (judgement,) = ask(self._resolved, [window])
                self._shard.write([{"key": job["key"], **_row(judgement)}])
        return {"key": [job["key"] for job in jobs]}


@dataclass(frozen=True)
class RayJudging:
    """Judges planned windows on Ray; given to `Ranking.run` as `execute`."""

    folder: Path
    """Of the shards; on a cluster, one that all machines see."""
    workers: int = 2
    """Judging actors."""

    def __call__(self, ranking: Ranking, places: Sequence[Place]) -> None:
        """Judge windows and record them in the ranking's file."""
        if not places:
            return
        jobs = {place: self._job(ranking, place) for place in places}
        known = read_shards(self.folder)
        left = [job for job in jobs.values() if job["key"] not in known]
        if left:
            self._run(ranking.settings, left)
            known = read_shards(self.folder)
        done = [place for place in places if jobs[place]["key"] in known]
        ranking.file.record(done, [_judgement(known[jobs[place]["key"]]) for place in done])
        if len(done) < len(places):
            raise ValueFlowError(
                f"{len(places) - len(done)} windows came back from no worker: run the same command "
                "again to judge them"
            )

    def _job(self, ranking: Ranking, place: Place) -> dict[str, Any]:
        window = ranking.window(place)
        items = [[item.id, item.query, item.text] for item in window.items]
        return {"key": fingerprint([dict(ranking.file.head), place, items]), "items": items}

    def _run(self, settings: RankSettings, jobs: Sequence[Mapping[str, Any]]) -> None:
        import_ray()
        import ray.data

        ray.data.DataContext.get_current().enable_progress_bars = False
        rows = [{"job": json.dumps(job, ensure_ascii=False)} for job in jobs]
        blocks = max(self.workers, min(len(rows) // _BATCH, 10_000))
        # Judges are opened inside the actors; Ray restarts those that die and retries batches.
        judged = ray.data.from_items(rows, override_num_blocks=blocks).map_batches(
            JudgingActor,
            fn_constructor_args=(asdict(settings), str(self.folder.resolve())),
            batch_size=_BATCH,
            compute=ray.data.ActorPoolStrategy(size=self.workers),
        )
        for _ in judged.iter_batches(batch_size=None):
            pass


def _window(settings: RankSettings, items: Sequence[Sequence[Any]]) -> Window:
    made = tuple(Text(name, text, query).response() for name, query, text in items)
    return Window(settings.value, settings.definition, made, None)


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
