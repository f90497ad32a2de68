"""What steering costs: `python -m benchmarks.steering` prints one JSON object.

On a GPU: a 1B-class Llama with random weights, bfloat16, batch 32. Without one: a tiny model on
the CPU, where fixed costs weigh far more, so its ratios say little about a GPU. Unsteered and
steered runs alternate within one run and the fastest of each counts, so that a busy machine
disturbs all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from valueflow_tasks.bundled import bundled_model
from valueflow_tasks.steering import SteeringVector, steer
from valueflow_tasks.steering._answer import Loaded, load_model
from valueflow_tasks.steering._batch import VectorLibrary
from valueflow_tasks.steering._capture import capture

LARGE = {
    "vocab_size": 128256, "hidden_size": 2048, "intermediate_size": 8192,
    "num_hidden_layers": 16, "num_attention_heads": 32, "num_key_value_heads": 8,
}  # fmt: skip
SMALL = {
    "vocab_size": 3000, "hidden_size": 256, "intermediate_size": 688,
    "num_hidden_layers": 6, "num_attention_heads": 4, "num_key_value_heads": 4,
}  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--texts", type=int, default=768, help="for activation capture")
    parser.add_argument("--no-harness", action="store_true", help="leave out the lm-eval runs")
    given = parser.parse_args()
    gpu = torch.cuda.is_available()
    torch.manual_seed(0)
    torch.set_num_threads(1)  # on the CPU; several threads stall each other on a busy machine
    report: dict[str, Any] = {
        "machine": torch.cuda.get_device_name()
        if gpu
        else f"{platform.machine()} CPU, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "model": "Llama, 1.2 B random weights, bf16" if gpu else "Llama, 6 M random weights, fp32",
        "generation": generation(gpu, given.repeats),
        "capture": captured(gpu, given.texts),
    }
    if not given.no_harness:
        report["harness"] = harness(gpu)
    print(json.dumps(report, indent=1))


def random_model(gpu: bool) -> LlamaForCausalLM:
    """1B-class in bfloat16 on a GPU, tiny on the CPU."""
    config = LlamaConfig(**(LARGE if gpu else SMALL), pad_token_id=0, eos_token_id=None)
    model = LlamaForCausalLM(config).eval().requires_grad_(False)
    return model.to("cuda", torch.bfloat16) if gpu else model


def generation(gpu: bool, repeats: int) -> dict[str, float]:
    """Tokens per second, and each way of steering as a ratio of time to the unsteered run."""
    model = random_model(gpu)
    config = model.config
    batch, new = 32, 128 if gpu else 16
    ids = torch.randint(1, config.vocab_size, (batch, 64), device=model.device)
    mask = torch.ones_like(ids)
    depth = config.num_hidden_layers
    vectors = [
        SteeringVector(torch.randn(config.hidden_size), layer, residual_norm=1.0)
        for layer in range(depth)
    ]
    middle = vectors[depth // 2]
    mixed = [[0.1 * (row % 5 - 2)] for row in range(batch)]

    def run() -> None:
        model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=new, min_new_tokens=new,
            do_sample=False, pad_token_id=0,
        )  # fmt: skip
        if gpu:
            torch.cuda.synchronize()

    def under(these: list[SteeringVector], coefficients: Any) -> Callable[[], None]:
        def steered() -> None:
            with steer(model, these, coefficients):
                run()

        return steered

    arms = {
        "unsteered": run,
        "one_layer": under([middle], [0.1]),
        "every_layer": under(vectors, [0.1] * depth),
        "five_levels_mixed": under([middle], mixed),
    }
    best = {name: float("inf") for name in arms}
    # On one CPU thread the process's own time, which other programs do not add to.
    clock = time.perf_counter if gpu else time.process_time
    for arm in arms.values():
        arm()  # warm-up
    for _ in range(repeats):
        for name, arm in arms.items():
            started = clock()
            arm()
            best[name] = min(best[name], clock() - started)
    plain = best["unsteered"]
    return {
        "tokens_per_second_unsteered": round(batch * new / plain, 1),
        "one_layer_slower": round(best["one_layer"] / plain - 1, 4),
        "every_layer_slower": round(best["every_layer"] / plain - 1, 4),
        "mixed_slower_than_one_spec": round(best["five_levels_mixed"] / best["one_layer"] - 1, 4),
    }


def captured(gpu: bool, texts: int) -> dict[str, float | str]:
    """Activation capture in one pass, on a GPU with the 1B-class model, else with the bundled."""
    loaded = load_model("bundled", device="cpu")
    if gpu:  # random weights have no tokenizer; that of the bundled model is a part of theirs
        loaded = Loaded(random_model(gpu), loaded.tokenizer, VectorLibrary())
    turns = [f"Question number {number}: what do you do, and why?" for number in range(texts)]
    told = [" I would look around for a while, ask somebody, and then decide."] * texts
    capture(loaded, turns[:32], told[:32], batch_size=32)  # warm-up
    if gpu:
        torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated() if gpu else 0
    started = time.perf_counter()
    read = capture(loaded, turns, told, batch_size=32)
    seconds = time.perf_counter() - started
    found = {
        "model": "1.2 B random weights" if gpu else "bundled",
        "texts": texts,
        "seconds": round(seconds, 2),
        "kept_megabytes": round(read.means.numel() * 4 / 1e6, 2),
    }
    if gpu:
        peak = torch.cuda.max_memory_allocated() - before
        found["peak_megabytes_above_the_model"] = round(peak / 1e6, 1)
    return found


def harness(gpu: bool) -> dict[str, float]:
    """Five levels in one mixed run against five runs of the harness's own `steered`.

    Each run is a process of its own: load, warm-up and judging are in it, as for a user.
    """
    import subprocess
    import sys
    import tempfile
    from pathlib import Path

    from valueflow_tasks.steering import export_lm_eval
    from valueflow_tasks.steering._folder import vector_file

    with tempfile.TemporaryDirectory() as folder:
        loaded = load_model("bundled", device="cpu")
        vector = SteeringVector(
            torch.randn(loaded.model.config.hidden_size), 2, residual_norm=40.0,
            model_id="valueflow-tiny",
            value="svt/power", fit={"dose_per_level": 0.1},
        )  # fmt: skip
        vector.save(vector_file(folder, "svt/power"))
        common = ["--batch_size", "32", "--device", "cuda" if gpu else "cpu"]

        def timed(*arguments: str) -> float:
            start = "import sys; from valueflow_tasks.cli import main; main()"
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, "-c", start, "lm-eval", *arguments, *common],
                check=True,
                capture_output=True,
            )
            return time.perf_counter() - started

        ours = timed(
            "--model", "valueflow-hf", "--model_args", "pretrained=bundled",
            "--tasks", "valueflow_steer_svt_power",
            "--metadata", "queries=core", "method=vector", f"vectors={folder}",
        )  # fmt: skip
        theirs = 0.0
        for level in (-2, -1, 0, 1, 2):
            file = Path(folder) / f"{level}.pt"
            export_lm_eval(file, loaded.model, [vector], [0.1 * level or 1e-9])
            theirs += timed(
                "--model", "steered", "--tasks", "valueflow_profile", "--model_args",
                f"pretrained={bundled_model()},steer_path={file}",
                "--metadata", "queries=core", "values=[svt/power]",
            )  # fmt: skip
    return {
        "one_mixed_run_seconds": round(ours, 1),
        "five_runs_of_steered_seconds": round(theirs, 1),
        "ratio": round(theirs / ours, 2),
    }


if __name__ == "__main__":
    main()
