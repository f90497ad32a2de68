"""All pictures of a part, as blocks for the page and as files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from . import _other_pictures as other
from . import _profile_pictures as profile
from . import _steering_pictures as steering
from ._blocks import Drawing, Table
from ._draw import Panel, Picture, save
from ._labels import in_order, rows_of, value_name
from ._parts import Part

NAMES = frozenset(
    {
        "profile-radar", "profile-forest", "profile-heat", "steerability", "steerability-heat",
        "dose-response", "composition-plane", "additivity", "side-effects", "judge-sentinels",
        "outcomes", "leakage",
    }
)  # fmt: skip
"""Names of all pictures that a report can have."""


@dataclass(frozen=True)
class Pictures:
    """Pictures of one part, by name."""

    found: dict[str, Picture]
    prefix: str
    """Of ids and files: empty for the first part."""

    def __contains__(self, name: str) -> bool:
        """Whether there is such a picture."""
        return name in self.found

    def block(self, name: str, table: Table | None = None) -> Drawing:
        """A picture for the page."""
        return Drawing(self.found[name], f"{self.prefix}{name}", table)

    def save(self, part: Part, folder: Path) -> None:
        """Write every picture, and the page's heat maps as pictures, as PNG and SVG."""
        for picture in (*self.found.values(), *heat_maps(part)):
            save(replace(picture, name=f"{self.prefix}{picture.name}"), folder)


def pictures(part: Part, prefix: str) -> Pictures:
    """Every picture that there is something to draw for."""
    drawn = (
        profile.radar(part),
        profile.forest(part),
        steering.steerability(part),
        steering.dose_response(part),
        steering.composition_plane(part),
        steering.additivity(part),
        steering.side_effects(part),
        other.sentinels(part),
        other.outcomes(part),
    )
    return Pictures({one.name: one for one in drawn if one is not None}, prefix)


def heat_maps(part: Part) -> Iterator[Picture]:
    """Heat maps, which the page has as tables."""
    missing = float("nan")
    found = profile.plain_cells(part)
    if found:
        grid = [
            [float(found.get((model, value), {}).get("mean", missing)) for model in part.models]
            for value in part.profiled
        ]
        yield _heat_map("profile-heat", "Intensity of unsteered answers, points", part.profiled,
                        [part.named[model] for model in part.models], grid, 10.0, 1)  # fmt: skip
    if part.steered:
        rows = part.overall[part.overall["metric"] == "steerability"]
        shares = {
            (one["model"], one["method"], one["target"]): float(one["estimate"])
            for one in rows_of(rows)
        }
        grid = [
            [shares.get((*one, value), missing) for one in part.conditions]
            for value in part.steered
        ]
        columns = [part.condition_name(one) for one in part.conditions]
        yield _heat_map("steerability-heat", "Steerability", part.steered, columns, grid, 1.0, 2)
    yield from _leaks(part)


def _heat_map(
    name: str, title: str, values: list[str], columns: list[str], grid: other.Grid, end: float,
    digits: int,
) -> Picture:  # fmt: skip
    rows = [value_name(value) for value in values]
    return Picture(name, title, "", (other.heat_panel("", rows, columns, grid, end, digits),))


def _leaks(part: Part) -> Iterator[Picture]:
    table = part.leakage
    if not len(table) or not (table["target"] != table["value"]).any():
        return
    slopes = {
        (one["model"], one["method"], one["target"], one["value"]): float(one["slope"])
        for one in rows_of(table)
    }
    end = max(float(table["slope"].abs().max()), 0.5)
    panels: list[Panel] = []
    for condition in steering.shown(part):
        own = {key[2:]: slope for key, slope in slopes.items() if key[:2] == condition}
        if not own:
            continue
        targets = in_order(target for target, _ in own)
        values = in_order(value for _, value in own)
        grid = [[own.get((target, value), float("nan")) for value in values] for target in targets]
        panels.append(
            other.heat_panel(
                part.condition_name(condition),
                [value_name(one) for one in targets],
                [value_name(one) for one in values],
                grid,
                end,
                1,
            )
        )
    if panels:
        title = "Leakage: points per level of steering toward the row's value"
        yield Picture("leakage", title, "", tuple(panels), columns=1)
