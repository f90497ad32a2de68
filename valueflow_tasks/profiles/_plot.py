"""Profiles in one picture: a radar per theory, and every value with its interval."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from valueflow_scorers import ValueFlowError

from ..theories import THEORIES, in_order, load_theory
from ._record import ValueProfile

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
MOST = len(_COLOURS)
"""Profiles in one picture: as many as there are colours that people tell apart."""
_FORMS = (".png", ".svg", ".pdf")


def check_picture(output: Path) -> None:
    """Refuse a picture that could not be drawn, before anything is measured for it.

    Raises:
        ValueFlowError: for another form of file, or if matplotlib is not installed.
    """
    if output.suffix.lower() not in _FORMS:
        raise ValueFlowError(f"{output} is no picture: give a file in {', '.join(_FORMS)}")
    if find_spec("matplotlib") is None:
        raise ValueFlowError("drawing needs matplotlib: pip install 'valueflow-tasks[plot]'")


def plot_profiles(profiles: Sequence[ValueProfile], output: Path) -> Path:
    """Draw profiles: radars above, below a forest plot with 90 % intervals.

    Args:
        profiles: At most MOST.
        output: PNG, SVG or PDF file.

    Raises:
        ValueFlowError: for more profiles, and as `check_picture`.
    """
    if not 0 < len(profiles) <= MOST:
        raise ValueFlowError(
            f"{len(profiles)} profiles: one picture shows 1 to {MOST}; write several files"
        )
    check_picture(output)
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    values = in_order(value for one in profiles for value in one.scores)
    theories = list(dict.fromkeys(value.partition("/")[0] for value in values))
    round_ones = [t for t in theories if sum(v.startswith(f"{t}/") for v in values) > 2]
    height = 1.2 + 0.13 * len(values) * (1 + 0.25 * len(profiles))
    figure = plt.figure(figsize=(12, 4 * bool(round_ones) + height), layout="constrained")
    grid = figure.add_gridspec(
        2 if round_ones else 1,
        max(len(round_ones), 1),
        height_ratios=[4, height] if round_ones else [1],
    )
    for place, theory in enumerate(round_ones):
        own = [value for value in values if value.startswith(f"{theory}/")]
        _radar(figure.add_subplot(grid[0, place], polar=True), theory, own, profiles)
    forest = figure.add_subplot(grid[-1, :])
    _forest(forest, values, profiles)
    figure.legend(*forest.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.savefig(output, dpi=130)
    plt.close(figure)
    return output


def _radar(axes: Any, theory: str, values: Sequence[str], profiles: Sequence[ValueProfile]) -> None:
    angles = np.linspace(0, 2 * np.pi, len(values), endpoint=False)
    around = np.append(angles, angles[0])
    axes.plot(around, np.zeros(len(around)), color="0.4", linewidth=0.8)
    for profile, colour in zip(profiles, _COLOURS, strict=False):
        heights = [profile.scores[v].intensity if v in profile.scores else np.nan for v in values]
        axes.plot(around, [*heights, heights[0]], color=colour, marker="o", markersize=3)
    axes.set_ylim(-10, 10)
    axes.set_yticks([-5, 0, 5], ["-5", "0", "5"], fontsize=6, color="0.4")
    axes.set_xticks(angles, [value.partition("/")[2] for value in values], fontsize=7)
    name = load_theory(theory).name if theory in THEORIES else theory
    axes.set_title(textwrap.fill(name, 28), fontsize=8, pad=14)


def _forest(axes: Any, values: Sequence[str], profiles: Sequence[ValueProfile]) -> None:
    rows = np.arange(len(values))[::-1].astype(float)
    step = 0.7 / len(profiles)
    for number, (profile, colour) in enumerate(zip(profiles, _COLOURS, strict=False)):
        places = [i for i, value in enumerate(values) if value in profile.scores]
        scores = [profile.scores[values[i]] for i in places]
        middle = np.array([one.intensity for one in scores])
        ends = np.array([one.interval() for one in scores]).T
        heights = rows[places] + (len(profiles) - 1) * step / 2 - number * step
        axes.errorbar(
            middle, heights, xerr=np.abs(ends - middle), fmt="o", markersize=3, elinewidth=0.9,
            color=colour, label=profile.name.replace("$", r"\$"),
        )  # fmt: skip
    axes.axvline(0, color="0.4", linewidth=0.8)
    axes.set(xlim=(-10.3, 10.3), xlabel="intensity with 90 % interval")
    axes.set_yticks(rows, values, fontsize=7)
    axes.grid(axis="x", alpha=0.3)
