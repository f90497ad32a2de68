"""Value profiles: whom a text, a group or a model stands for, and steering toward it.

For example:

>>> from valueflow_tasks.profiles import ValueProfile, ValueScore, profile_text
>>> someone = ValueProfile("someone", {"svt/tradition": ValueScore(6.0)})
>>> profile_text(someone)[:45]
'You are a person who strongly values the cust'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._distance import Distance, distance
    from ._fit import fit_profiles, profile_texts
    from ._leak import check_leak
    from ._prompt import profile_spec, profile_text, telling_values
    from ._record import BuiltFrom, ValueProfile, ValueScore
    from ._release import write_release
    from ._saved import load_profile, load_profiles, save_profiles
    from ._texts import Written, read_written

_HOME = {
    "_distance": ("Distance", "distance"),
    "_fit": ("fit_profiles", "profile_texts"),
    "_leak": ("check_leak",),
    "_prompt": ("profile_spec", "profile_text", "telling_values"),
    "_record": ("BuiltFrom", "ValueProfile", "ValueScore"),
    "_release": ("write_release",),
    "_saved": ("load_profile", "load_profiles", "save_profiles"),
    "_texts": ("Written", "read_written"),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "BuiltFrom",
    "Distance",
    "ValueProfile",
    "ValueScore",
    "Written",
    "check_leak",
    "distance",
    "fit_profiles",
    "load_profile",
    "load_profiles",
    "profile_spec",
    "profile_text",
    "profile_texts",
    "read_written",
    "save_profiles",
    "telling_values",
    "write_release",
]


def __getattr__(name: str) -> Any:
    # Numpy and scipy are loaded with the first use.
    if name in _MODULE:
        return getattr(import_module(f".{_MODULE[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
