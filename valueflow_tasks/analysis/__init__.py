"""What was measured, out of the logs of either harness, as one tidy table, and what it shows.

    >>> from valueflow_tasks.analysis import load_runs
    >>> runs = load_runs(["logs", "results"])          # doctest: +SKIP
    >>> runs.frame.groupby(["model", "value", "level"]).intensity.mean()   # doctest: +SKIP

`docs/analysis.md` says what each column means.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._agreement import agreement
    from ._cell_table import cells, steering
    from ._columns import COLUMNS
    from ._compare import adjusted, compare
    from ._composition import composition, composition_metrics
    from ._conditions import Condition
    from ._differences import protocol_differences
    from ._drift import drift, magnitude, saturation
    from ._load import load_runs
    from ._overall import overall
    from ._regimes import regime, regimes
    from ._run import Answered, Problem, Run
    from ._runs import Runs
    from ._statistics import STATISTICS, Number, difference, number

_HOME = {
    "_agreement": ("agreement",),
    "_cell_table": ("cells", "steering"),
    "_compare": ("adjusted", "compare"),
    "_composition": ("composition", "composition_metrics"),
    "_conditions": ("Condition",),
    "_differences": ("protocol_differences",),
    "_drift": ("drift", "magnitude", "saturation"),
    "_columns": ("COLUMNS",),
    "_load": ("load_runs",),
    "_overall": ("overall",),
    "_regimes": ("regime", "regimes"),
    "_run": ("Answered", "Problem", "Run"),
    "_runs": ("Runs",),
    "_statistics": ("STATISTICS", "Number", "difference", "number"),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "COLUMNS",
    "STATISTICS",
    "Answered",
    "Condition",
    "Number",
    "Problem",
    "Run",
    "Runs",
    "adjusted",
    "agreement",
    "cells",
    "compare",
    "composition",
    "composition_metrics",
    "difference",
    "drift",
    "load_runs",
    "magnitude",
    "number",
    "overall",
    "protocol_differences",
    "regime",
    "regimes",
    "saturation",
    "steering",
]


def __getattr__(name: str) -> Any:
    # Pandas and scipy take a noticeable part of a second; they are loaded with the first use.
    if name in _MODULE:
        return getattr(import_module(f".{_MODULE[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
