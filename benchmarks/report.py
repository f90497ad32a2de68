"""A report over 100,000 scored responses: seconds, memory, size, and time to open in Chromium.

`python -m benchmarks.report [--models N] [--logs DIR]` prints one JSON object. The logs: lm-eval
really evaluates a control model on everything (32 values, five levels, 70 queries, judge
`simulated`), and its results are copied under the names of N models. `--logs` keeps them for the
next time. The report is made by the command that users run, in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

CLOCK = """<script>addEventListener("load", () => {
  document.body.offsetHeight;  // makes the browser lay everything out
  document.title = "opened in " + Math.round(performance.now()) + " ms";
});</script>"""
"""Added to a copy of the page: how long it takes until it is loaded and laid out."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=8)
    parser.add_argument("--logs", type=Path, default=None)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        logs = given.logs or work / "logs"
        if not logs.exists():
            evaluate(work / "one")
            multiply(work / "one", logs, given.models)
        print(json.dumps({"benchmark": "report", **measure(logs, work / "report")}))


def evaluate(folder: Path) -> None:
    """Run lm-eval on a control model."""
    subprocess.run(
        [sys.executable, "-c", _MAIN, "lm-eval", "--model", "valueflow-control", "--model_args",
         "mode=oracle", "--tasks", "valueflow", "--metadata", "judge=simulated:noise=1",
         "--log_samples", "--output_path", str(folder)],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


_MAIN = "from valueflow_tasks.cli import main; main()"


def multiply(source: Path, folder: Path, models: int) -> None:
    """Copy the results under other models' names."""
    (found,) = source.rglob("results_*.json")
    for number in range(models):
        own = Path(shutil.copytree(found.parent, folder / f"model-{number}"))
        (results,) = own.glob("results_*.json")
        content: dict[str, Any] = json.loads(results.read_text("utf-8"))
        content["config"] |= {
            "model": "hf",
            "model_args": {"pretrained": f"benchmark/model-{number}"},
        }
        results.write_text(json.dumps(content), "utf-8")


def measure(logs: Path, output: Path) -> dict[str, Any]:
    """Make the report, and open it."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _MAIN, "report", str(logs), "-o", str(output)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    page = output / "index.html"
    return {
        "said": done.stdout.strip().rpartition(": ")[2],
        "seconds": round(seconds, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_gigabytes": round(used.ru_maxrss / 1e6, 2),
        "page_megabytes": round(page.stat().st_size / 1e6, 2),
        "opened_milliseconds": opened(page, output.parent),
        "cores": os.cpu_count(),
        "load": [round(one, 1) for one in os.getloadavg()],
    }


def opened(page: Path, work: Path) -> int | None:
    """Milliseconds from navigation until the page is loaded and laid out; None: no Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return None
    copy = work / "timed.html"
    # The page forbids scripts; the copy allows this one.
    text = page.read_text("utf-8").replace("default-src", "script-src 'unsafe-inline'; default-src")
    copy.write_text(text + CLOCK, "utf-8")
    shown = subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
         f"--user-data-dir={work / 'browser'}", "--window-size=1200,900", "--dump-dom",
         copy.as_uri()],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    said = re.search(r"<title>opened in (\d+) ms", shown.stdout)
    return int(said[1]) if said else None


if __name__ == "__main__":
    main()
