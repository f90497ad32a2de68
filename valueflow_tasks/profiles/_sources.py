"""Sources of any mixture -> profiles: what people wrote, and what models answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from valueflow_scorers import ValueFlowError
from valueflow_scorers._measure import Instrument

from ..settings import measurable_values, parse_list
from ..vidb._values import named_values, own_panels
from ._files import is_profile_file
from ._fit import fit_profiles, unusable
from ._readings import Read, read_texts
from ._record import ValueProfile
from ._saved import load_profiles
from ._texts import Written, read_written


def read_profiles(
    sources: Sequence[Path],
    group_by: str | None = None,
    values: str | None = None,
    encoder: str = "hives-mini",
    instrument: Mapping[str, Any] | None = None,
) -> tuple[list[ValueProfile], list[str]]:
    """Profiles of everybody in some files and folders.

    Args:
        sources: Texts (`read_written`), runs (`read_runs`) and files of profiles, in any mixture;
            profiles stay as they are.
        group_by: Field of the texts' lines, or column of the runs' table.
        values: Values, theories and folders, as `Settings` takes them; None: all that ship, and
            those of one's own that a text names or was measured on.
        encoder: Decides what a text is about.
        instrument: Knobs of `Instrument`, for texts; runs were measured already.

    Returns:
        The profiles, and what could not be read.

    Raises:
        ValueFlowError: as the readers, and if two sources have a group or a profile of one name.
    """
    from ._runs import is_run, read_runs

    chosen = named_values(parse_list(values or ""), measurable_values()) or None
    saved = [one for one in sources if is_profile_file(str(one))]
    logs = [one for one in sources if one not in saved and is_run(one)]
    files = [one for one in sources if one not in saved and one not in logs]
    found = [one for path in saved for one in load_profiles(path).values()]
    parts: list[Read] = []
    problems: list[str] = []
    if files:
        texts: list[Written] = [one for file in files for one in read_written(file, group_by)]
        panels = own_panels({*(chosen or ()), *(value for one in texts for value in one.values)})
        measuring = Instrument(**(instrument or {}), panels=panels)
        parts.append(read_texts(texts, measuring, chosen, encoder))
    if logs:
        read, problems = read_runs(logs, group_by, chosen, encoder)
        parts.append(read)
    whole = Read.joined(parts)
    fitted = fit_profiles(whole)
    problems += [*whole.notes, *(unusable(whole, one) for one in whole.texts if one not in fitted)]
    found += fitted.values()
    names = [one.name for one in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueFlowError(f"several sources have a profile {twice[0]!r}: rename one of them")
    return found, problems
