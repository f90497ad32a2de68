"""Pictures: drawn once with matplotlib, for the page as SVG that follows its colours, and as files.

On the page every panel is an SVG of its own, so that a phone shows one beside or below the
other; a file has all panels of a picture, its title and its legend.
"""

from __future__ import annotations

import html
import math
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from valueflow_scorers import ValueFlowError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, SOFT, LINE, WASH = "#1b1f24", "#59636e", "#dcdfe3", "#eef0f2"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a6a00", "#3b3f45")
"""Okabe and Ito 2008, without the yellow that white swallows."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", ":", "-.")
_VARIABLES = {INK: "--ink", SOFT: "--soft", LINE: "--line", WASH: "--wash"} | {
    colour: f"--c{place}" for place, colour in enumerate(COLOURS)
}
_TITLE_PIXELS = 11
"""Of a panel's width per character of its title, which starts where the axes do."""
PIXELS = 72
"""Of an inch: what a picture calls a pixel is one on the page at full width."""


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    title: str
    """Above it; empty: none."""
    draw: Callable[[Any], None]
    """Draws into matplotlib axes."""
    width: int = 340
    """On the page at full width, pixels."""
    height: int = 240
    """Pixels."""
    polar: bool = False
    """Whether the axes are polar."""
    inset: tuple[float, float, float, float] | None = None
    """Left, bottom, width and height of the axes on the page, shares of the panel; None: as
    large as labels allow."""


@dataclass(frozen=True)
class Entry:
    """One line of a legend."""

    label: str
    colour: str
    marker: str = "o"
    dash: str = "-"


@dataclass(frozen=True)
class Picture:
    """A figure of the report."""

    name: str
    """Of its files, and of its ids on the page."""
    title: str
    caption: str
    """What it shows, and how to read it."""
    panels: tuple[Panel, ...]
    legend: tuple[Entry, ...] = ()
    columns: int = 3
    """Of panels, in a file."""


def _figure(width: float, height: float, fitted: bool = True) -> Figure:
    from matplotlib.figure import Figure

    return Figure(
        figsize=(width / PIXELS, height / PIXELS),
        dpi=PIXELS,
        layout="constrained" if fitted else None,
    )


def _styled() -> Any:
    """A context in which matplotlib draws in the report's style."""
    try:
        from matplotlib import rc_context
    except ImportError:
        raise ValueFlowError(
            "drawing needs matplotlib: pip install 'valueflow-tasks[report]'"
        ) from None
    return rc_context(_STYLE)


_STYLE: dict[Any, Any] = {
    "text.parse_math": False,  # names may hold dollars
    "svg.fonttype": "none",
    "svg.hashsalt": "valueflow",
    "font.family": "sans-serif",
    "font.size": 11.5,
    "axes.facecolor": "none",
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.titlecolor": INK,
    "axes.titlesize": 12.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "lines.linewidth": 1.8,
    "figure.facecolor": "white",
}


def inline(picture: Picture, name: str) -> list[Markup]:
    """The panels as SVG elements, in the page's colours and font; `name` starts their ids.

    Their titles are not in them: the page sets them above, where they can wrap.
    """
    with _styled():
        return [
            _for_page(
                _panel(panel),
                f"{name}-{number}",
                f"{picture.title}: {panel.title}" if panel.title else picture.title,
            )
            for number, panel in enumerate(picture.panels)
        ]


def _panel(panel: Panel) -> str:
    figure = _figure(panel.width, panel.height, panel.inset is None)
    figure.patch.set_alpha(0)
    projection = "polar" if panel.polar else None
    if panel.inset is None:
        axes = figure.add_subplot(projection=projection)
    else:
        axes = figure.add_axes(panel.inset, projection=projection)
    panel.draw(axes)
    return _svg(figure)


def save(picture: Picture, folder: Path) -> None:
    """Write a picture as `<name>.png` and `<name>.svg`."""
    with _styled():
        figure = _whole(picture)
        drawn = BytesIO()
        figure.savefig(drawn, format="png", dpi=2 * PIXELS)
        (folder / f"{picture.name}.png").write_bytes(drawn.getvalue())
        (folder / f"{picture.name}.svg").write_text(_svg(figure), "utf-8")


def _whole(picture: Picture) -> Figure:
    """All panels with title and legend."""
    columns = min(picture.columns, len(picture.panels))
    rows = math.ceil(len(picture.panels) / columns)
    heights = [
        max(panel.height for panel in picture.panels[row * columns : (row + 1) * columns])
        for row in range(rows)
    ]
    width = columns * max(panel.width for panel in picture.panels)
    legend_rows = math.ceil(len(picture.legend) / max(columns, 2))
    figure = _figure(max(width, 420), sum(heights) + 44 + 20 * legend_rows)
    figure.suptitle(picture.title, x=0.01, ha="left", fontsize=14, fontweight="bold", color=INK)
    grid = figure.add_gridspec(rows, columns, height_ratios=heights)
    for place, panel in enumerate(picture.panels):
        projection = "polar" if panel.polar else None
        axes = figure.add_subplot(grid[divmod(place, columns)], projection=projection)
        panel.draw(axes)
        if panel.title:
            axes.set_title("\n".join(textwrap.wrap(panel.title, panel.width // _TITLE_PIXELS)))
    if picture.legend:
        _legend(figure, picture, max(columns, 2))
    return figure


def _legend(figure: Figure, picture: Picture, columns: int) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=one.colour, marker=one.marker, linestyle=one.dash, label=one.label)  # type: ignore[arg-type]
        for one in picture.legend
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=columns, frameon=False)


def _svg(figure: Figure) -> str:
    drawn = StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    return drawn.getvalue()


_DROPPED = re.compile(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>|<!--.*?-->",
                      re.DOTALL)  # fmt: skip
_GROUP_ID = re.compile(r'<g id="[^"]*">')
_ID = re.compile(r'(\bid="|url\(#|xlink:href="#)')
_FONT = re.compile(r"font-family: [^;\"]*;?|font: ([^\"';]*?)(\d[\d.]*)px [^;\"]*")
_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_SPACE = re.compile(r">\s+<")


def _for_page(svg: str, name: str, told: str) -> Markup:
    """A drawn SVG as an element: its ids are its own, its colours and its font the page's.

    Names of models and values reach this text through matplotlib, which escapes them.
    """
    body = _DROPPED.sub("", svg[svg.index("<svg") :])
    opening, _, rest = body.partition(">")
    box = re.search(r'viewBox="([^"]*)"', opening)
    assert box is not None
    rest = _GROUP_ID.sub("<g>", rest)
    rest = _ID.sub(lambda found: f"{found[1]}{name}-", rest)
    rest = _FONT.sub(_own_font, rest)
    for colour, variable in _VARIABLES.items():
        rest = rest.replace(colour, f"var({variable})")
    rest = _NUMBER.sub(lambda found: f"{float(found[0]):.1f}", rest)
    rest = _SPACE.sub("><", rest.replace("xlink:href", "href"))
    label = html.escape(told)
    return Markup(
        f'<svg viewBox="{box[1]}" role="img" aria-label="{label}" '
        f'xmlns="http://www.w3.org/2000/svg">{rest}'
    )


def _own_font(found: re.Match[str]) -> str:
    if found[2] is None:
        return ""
    weight = f"font-weight: {found[1].strip()}; " if found[1].strip() else ""
    return f"{weight}font-size: {found[2]}px"


def swatch(entry: Entry) -> Markup:
    """A legend's mark, in the page's colours."""
    colour = f"var({_VARIABLES[entry.colour]})"
    dash = {"--": ' stroke-dasharray="5 3"', ":": ' stroke-dasharray="2 2"',
            "-.": ' stroke-dasharray="6 2 2 2"'}.get(entry.dash, "")  # fmt: skip
    line = (
        ""
        if entry.dash == "none"
        else f'<path d="M1 7H25" stroke="{colour}" stroke-width="2"{dash}/>'
    )
    shape = _SHAPES.get(entry.marker, _SHAPES["o"])
    return Markup(
        f'<svg viewBox="0 0 26 14" aria-hidden="true">{line}'
        f'<path d="{shape}" fill="{colour}"/></svg>'
    )


_SHAPES = {
    "o": "M9 7a4 4 0 1 0 8 0a4 4 0 1 0-8 0",
    "s": "M9.5 3.5h7v7h-7z",
    "^": "M13 2.5l4.5 8h-9z",
    "v": "M13 11.5l4.5-8h-9z",
    "D": "M13 2l5 5l-5 5l-5-5z",
    "P": "M11 2h4v3h3v4h-3v3h-4v-3h-3v-4h3z",
    "X": "M10 2l3 3l3-3l2 2l-3 3l3 3l-2 2l-3-3l-3 3l-2-2l3-3l-3-3z",
    "*": "M13 1l2 4h4l-3 3l1 4l-4-2l-4 2l1-4l-3-3h4z",
}


def bar(estimate: float, low: float, high: float, ends: Sequence[float]) -> Markup:
    """An interval in a table cell, as a line and a dot on a scale."""
    start, end = ends

    def at(value: float) -> float:
        return 2 + 148 * (min(max(value, start), end) - start) / (end - start)

    if math.isnan(estimate):
        return Markup("")
    span = ""
    if not (math.isnan(low) or math.isnan(high)):
        span = (
            f'<path d="M{at(low):.1f} 9H{at(high):.1f}" stroke="var(--c0)" stroke-width="3" '
            'opacity=".55"/>'
        )
    return Markup(
        '<svg class="bar" viewBox="0 0 152 18" aria-hidden="true">'
        f'<path d="M2 9H150" stroke="var(--line)"/><path d="M{at(0):.1f} 3V15" '
        f'stroke="var(--soft)"/>{span}<circle cx="{at(estimate):.1f}" cy="9" r="4" '
        'fill="var(--c0)"/></svg>'
    )
