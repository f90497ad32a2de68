"""Studies: models, values, methods and judges in one file, resumable, in two phases."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._estimate import Estimate, estimate
    from ._generate import generate, unanswered
    from ._judge import judge
    from ._open import check_judges
    from ._parse import load_study
    from ._study import Study

_HOME = {
    "_estimate": ("Estimate", "estimate"),
    "_generate": ("generate", "unanswered"),
    "_judge": ("judge",),
    "_open": ("check_judges",),
    "_parse": ("load_study",),
    "_study": ("Study",),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Estimate",
    "Study",
    "check_judges",
    "estimate",
    "generate",
    "judge",
    "load_study",
    "unanswered",
]


def __getattr__(name: str) -> Any:
    # The harness is loaded with the first use.
    if name in _MODULE:
        return getattr(import_module(f".{_MODULE[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
