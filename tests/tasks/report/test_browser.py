"""What a real browser makes of the page: a phone's width, the dark, the keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

Browse = Callable[..., str]

PROBE = """<!doctype html><title>waiting</title>
<iframe id="page" src="PAGE" style="width: WIDTHpx; height: 800px; border: 0"></iframe>
<script>
document.getElementById("page").onload = () => {
  const page = document.getElementById("page").contentDocument;
  const style = (one, name) => getComputedStyle(one)[name];
  page.querySelectorAll("details").forEach((one) => { one.open = true; });
  const wide = [...page.querySelectorAll("main *")].filter((one) =>
    !one.closest(".frame, pre, svg") && one.getBoundingClientRect().right > WIDTH + 1);
  const scrolling = [...page.querySelectorAll(".frame, nav ul")].filter((one) =>
    one.scrollWidth > one.clientWidth + 1);
  const fonts = [...page.querySelectorAll(".panels svg text")].map((one) => {
    const svg = one.ownerSVGElement;
    const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    return parseFloat(style(one, "fontSize")) * scale;
  });
  const small = [...page.querySelectorAll("summary, nav a")]
    .filter((one) => one.getBoundingClientRect().height < 24).length;
  document.title = JSON.stringify({
    scroll: page.documentElement.scrollWidth,
    wide: wide.slice(0, 3).map((one) => one.tagName + "." + one.className),
    scrolling: scrolling.map((one) => one.ariaLabel || one.tagName),
    smallest: Math.min(...fonts),
    ground: style(page.body, "backgroundColor"),
    ink: style(page.body, "color"),
    text: style(page.querySelector(".panels svg text"), "fill"),
    small: small,
  });
};
</script>"""


def probe(browse: Browse, report: Path, folder: Path, width: int, *flags: str) -> dict[str, object]:
    """What a page of that width looks like."""
    import html
    import json

    frame = folder / f"probe-{width}.html"
    page = (report / "index.html").as_uri()
    frame.write_text(PROBE.replace("PAGE", page).replace("WIDTH", str(width)), "utf-8")
    shown = browse(frame, *flags)
    said = re.search(r"<title>(.*?)</title>", shown)
    assert said is not None
    assert said[1] != "waiting", "the page did not load"
    found: dict[str, object] = json.loads(html.unescape(said[1]))
    return found


@pytest.mark.parametrize("width", [375, 1200])
def test_nothing_is_wider_than_the_screen(
    browse: Browse, report: Path, tmp_path: Path, width: int
) -> None:
    found = probe(browse, report, tmp_path, width)
    assert found["scroll"] == width
    assert found["wide"] == []
    assert float(str(found["smallest"])) >= 7.5
    assert found["small"] == 0


def test_on_a_screen_no_table_has_to_be_scrolled(
    browse: Browse, report: Path, tmp_path: Path
) -> None:
    assert probe(browse, report, tmp_path, 1200)["scrolling"] == []


def test_the_page_follows_the_dark(browse: Browse, report: Path, tmp_path: Path) -> None:
    light = probe(browse, report, tmp_path, 400, "--blink-settings=preferredColorScheme=1")
    dark = probe(browse, report, tmp_path, 400, "--blink-settings=preferredColorScheme=0")

    def brightness(colour: object) -> int:
        return sum(int(part) for part in re.findall(r"\d+", str(colour))[:3])

    assert brightness(light["ground"]) > 650 > 250 > brightness(dark["ground"])
    for name in ("ink", "text"):  # pictures follow, too
        assert brightness(light[name]) < 330
        assert brightness(dark[name]) > 450
