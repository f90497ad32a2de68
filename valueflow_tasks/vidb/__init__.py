"""Build, check, load and extend value-intensity databases."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._comparisons import Comparisons
    from ._fit import Fit, fit
    from ._fitted import Database, build
    from ._judgements import JudgementFile
    from ._rank import Ranking
    from ._rank_settings import RankSettings
    from ._ruler import write_panel
    from ._texts import Text, TextFile, read_texts
    from ._values import OwnValue, load_value

_HOME = {
    "_comparisons": ("Comparisons",),
    "_fit": ("Fit", "fit"),
    "_fitted": ("Database", "build"),
    "_judgements": ("JudgementFile",),
    "_rank": ("Ranking",),
    "_rank_settings": ("RankSettings",),
    "_ruler": ("write_panel",),
    "_texts": ("Text", "TextFile", "read_texts"),
    "_values": ("OwnValue", "load_value"),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Comparisons",
    "Database",
    "Fit",
    "JudgementFile",
    "OwnValue",
    "RankSettings",
    "Ranking",
    "Text",
    "TextFile",
    "build",
    "fit",
    "load_value",
    "read_texts",
    "write_panel",
]


def __getattr__(name: str) -> Any:
    # Most commands need a small part; scipy.sparse and yaml are loaded with the first use.
    if name in _MODULE:
        return getattr(import_module(f".{_MODULE[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
