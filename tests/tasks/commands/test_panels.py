"""`valueflow panel`."""

from __future__ import annotations

import re

import pytest
from valueflow_scorers import load_panel


def test_panel_check_refits_a_panel_and_calls_it_sound(valueflow):
    found = valueflow("panel", "check", "svt/power")
    assert found.code == 0
    (row,) = [line for line in found.out.splitlines() if "svt/power" in line]
    assert "sound" in row


def test_panel_show_prints_the_ruler_strongest_first(valueflow):
    found = valueflow("panel", "show", "svt/power")
    assert found.code == 0
    numbers = [float(x) for x in re.findall(r"^[│┃] +([+-]\d+\.\d) [│┃]", found.out, re.M)]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == len(load_panel("svt/power").texts) == 30
    assert found.out.count("sentinel") >= 6


def test_release_names_are_understood(valueflow):
    assert "svt/self-direction" in valueflow("panel", "show", "pvq/self_direction").out


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [
        (("panel", "show", "svt/powr"), "svt/power"),
        (("panel", "check", "svt/powr"), "svt/power"),
        (("panel", "check", "svtt"), "svt"),
        (("judge", "calibrate", "--judge", "embeded"), "embedded"),
        (("judge", "calibrate", "--judge", "simulated:nois=1"), "noise"),
        (("judge", "calibrate", "--judge", "simulated", "--values", "mft/loyality"), "mft/loyalty"),
        (("panel", "shw"), "show"),
    ],
)
def test_an_unknown_name_gives_one_line_with_the_nearest_and_exit_two(
    valueflow, arguments, nearest
):
    found = valueflow(*arguments)
    assert found.code == 2
    said = [line for line in found.err.splitlines() if line.strip()]
    assert nearest in said[-1]
    assert "Traceback" not in found.err + found.out
    if said[-1].startswith("valueflow: "):
        assert len(said) == 1
