"""What starting costs, and what it says."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("numpy", "scipy", "torch", "transformers", "matplotlib", "pandas", "lm_eval",
         "inspect_ai", "sentence_transformers", "datasets", "ray", "vllm")  # fmt: skip


@pytest.mark.parametrize("module", ["valueflow_tasks", "valueflow_scorers"])
def test_importing_a_package_loads_nothing_heavy(module):
    program = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout.strip() == "[]"


def test_starting_the_command_loads_nothing_heavy():
    """All commands are known then, and what they work with is not loaded yet."""
    program = (
        "import sys; from valueflow_tasks.cli import main\n"
        "sys.argv = ['valueflow', '--version']\n"
        "try: main()\n"
        f"finally: print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout.splitlines()[-1] == "[]"


def test_the_instrument_never_imports_the_protocol_or_a_harness():
    program = (
        "import sys; from valueflow_scorers import AnchorEvaluator, Response, load_panel\n"
        "panel = load_panel('svt/power')\n"
        "evaluator = AnchorEvaluator(panel, 'simulated', k=4, m=2)\n"
        "assert evaluator.score([Response(panel.sentinels[0].text)])[0].scored\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(loaded & {'valueflow_tasks', 'lm_eval', 'inspect_ai', 'torch'}))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "[]"


def test_version_is_the_distribution_s(valueflow):
    from importlib.metadata import version

    found = valueflow("--version")
    assert found.code == 0
    assert version("valueflow-tasks") in found.out
