"""`valueflow judge calibrate`."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from typing import Any

import pytest
from valueflow_scorers import JudgeProfile, load_panel
from valueflow_scorers._calibrate import stored_profile_path
from valueflow_scorers._measure import Instrument
from valueflow_scorers.judges.simulated import SimulatedJudge


def table(text: str) -> dict[str, str]:
    """Two-column tables: first cell -> second cell."""
    rows = [line.strip("│┃ \n").split("│") for line in text.splitlines() if "│" in line]
    return {row[0].strip(): row[1].strip() for row in rows if len(row) == 2}


def test_an_embedded_judge_is_calibrated_offline_and_reported(valueflow):
    found = valueflow("judge", "calibrate", "--judge", "embedded", "--values", "svt/power")
    assert found.code == 0
    rows = table(found.out)
    assert 0 <= float(rows["sentinels, m=3: coverage of 90 % intervals"]) <= 1
    assert float(rows["failure rate"]) == 0
    assert float(rows["sign flips between repeats"]) == 0, "it reads a text alike each time"
    assert float(rows["repeat agreement (Krippendorff alpha)"]) == 1
    assert rows["Kendall tau of windows with labels"] == "-", "it orders nothing"


def test_planted_noise_and_misreading_come_back_within_fifteen_percent(valueflow):
    found = valueflow("judge", "calibrate", "--judge", "simulated:noise=1.5:text=1")
    assert found.code == 0
    rows = table(found.out)
    assert float(rows["tau: noise per window, points"]) == pytest.approx(1.5, rel=0.15)
    assert float(rows["omega: persistent misreading, points"]) == pytest.approx(1.0, rel=0.15)
    assert float(rows["largest slot bias, points"]) < 0.3
    for m in (3, 20):
        coverage = float(rows[f"sentinels, m={m}: coverage of 90 % intervals"])
        assert 0.82 < coverage < 0.97
    assert float(rows["sentinels, m=20: RMSE"]) < float(rows["sentinels, m=3: RMSE"])


@pytest.fixture
def written(valueflow, tmp_path):
    """A calibration with its files: profile, report, plot."""
    if find_spec("matplotlib") is None:
        pytest.skip("matplotlib is not installed")
    folder = tmp_path / "report"
    found = valueflow(
        "judge", "calibrate", "--judge", "simulated:noise=1", "--values", "svt/power,mft/care",
        "--windows", 120, "-o", folder,
    )  # fmt: skip
    assert found.code == 0, found.err
    return folder


def test_a_calibration_writes_a_profile_that_measures_a_report_and_a_plot(written):
    assert (written / "reliability.png").read_bytes().startswith(b"\x89PNG")
    profile = JudgeProfile.load(written / "profile.json")
    assert profile.calibrated
    instrument = Instrument(judge="simulated:noise=1", profile=str(written / "profile.json"))
    assert instrument.judge_profile.fingerprint == profile.fingerprint
    report = json.loads((written / "report.json").read_text("utf-8"), parse_constant=pytest.fail)
    assert report["fingerprint"] == profile.fingerprint
    assert report["calls"] > 120
    for name in ("repeat_agreement", "window_kendall", "pairwise_agreement", "sign_flips"):
        assert -1 <= report[name] <= 1
    assert {one["m"] for one in report["sentinels"]} == {3, 20}
    assert all(one["scored"] == 12 for one in report["sentinels"])


@pytest.mark.parametrize(("where", "named"), [("-o", "-o /proc/x"), ("profiles", "VALUEFLOW_PROF")])
def test_a_place_that_cannot_be_written_is_refused_before_a_judge_is_asked(
    valueflow, model_judge, monkeypatch, where, named
):
    monkeypatch.setattr(
        "valueflow_scorers._judge_report.judge_report", lambda *_, **__: pytest.fail("asked")
    )
    given = [word for key, value in model_judge.items() for word in (f"--{key}", value)]
    if where == "-o":
        given += ["-o", "/proc/x"]
    else:
        monkeypatch.setenv("VALUEFLOW_PROFILES", "/proc/x")
    found = valueflow("judge", "calibrate", *given, "--windows", 640)
    assert found.code == 2
    assert found.err.startswith(f"valueflow: {named}")
    assert "cannot be written" in found.err


@pytest.fixture
def model_judge(monkeypatch, tmp_path):
    """Settings of a model judge, and of a machine on which there is one panel."""

    class Model:
        """A language model as judge, as far as the command can tell."""

        name, prompt_version = "ranking:some/model", "1"

        def __init__(self) -> None:
            self._judge = SimulatedJudge([load_panel("svt/power")], noise=1.0)

        async def judge(self, windows: Any) -> Any:
            return await self._judge.judge(windows)

    monkeypatch.setattr("valueflow_scorers.judges._model_judge", lambda *_: Model())
    monkeypatch.setenv("VALUEFLOW_PROFILES", str(tmp_path / "profiles"))
    monkeypatch.setattr("valueflow_tasks.settings.measurable_values", lambda: ("svt/power",))
    return {"judge": "ranking:some/model", "journal": str(tmp_path / "journal")}


def _calibrate(valueflow, settings, *more):
    given = [word for key, value in settings.items() for word in (f"--{key}", value)]
    found = valueflow("judge", "calibrate", *given, *more)
    assert found.code == 0, found.err
    return found


def test_a_model_judge_s_profile_is_filed_where_auto_finds_it(valueflow, model_judge, tmp_path):
    settings = model_judge
    assert not Instrument(**settings).judge_profile.calibrated
    found = _calibrate(valueflow, settings, "--windows", 640)
    profile = Instrument(**settings).judge_profile
    assert profile.calibrated
    assert f"profile {profile.fingerprint} filed" in found.out
    assert [path.suffix for path in (tmp_path / "profiles").iterdir()] == [".json"]
    stats = valueflow("journal", "stats", tmp_path / "journal")
    assert stats.code == 0
    assert "ranking:some/model" in stats.out
    assert re.search(r"\b[1-9]\d* judgements in 1 files; 0 lines skipped", stats.out)
    # Another k is another profile.
    assert not Instrument(k=5, **settings).judge_profile.calibrated


@pytest.mark.parametrize("part", ["few windows", "few panels"])
def test_a_partial_calibration_leaves_the_filed_profile_alone(
    valueflow, model_judge, monkeypatch, tmp_path, part
):
    filed = JudgeProfile(model_judge["judge"], "1", tau=0.7, calibrated=True)
    path = stored_profile_path(model_judge["judge"], "1", 6)
    path.parent.mkdir()
    filed.save(path)
    windows = 60
    if part == "few panels":
        windows = 640
        both = ("svt/power", "mft/care")
        monkeypatch.setattr("valueflow_tasks.settings.measurable_values", lambda: both)
    found = _calibrate(
        valueflow, model_judge, "--values", "svt/power", "--windows", windows, "-o", tmp_path / "o"
    )
    assert Instrument(**model_judge).judge_profile == filed
    assert re.search(r"not filed.*640 windows.*-o DIR", found.out)
    own = JudgeProfile.load(tmp_path / "o" / "profile.json")
    assert own.fingerprint in found.out


@pytest.mark.parametrize(
    ("windows", "said"),
    [(640, "the profile is filed"), (60, "what was written before it is kept; what a model said")],
)
def test_a_report_that_cannot_be_written_says_what_is_kept(
    valueflow, model_judge, tmp_path, windows, said
):
    pytest.importorskip("matplotlib")
    taken = tmp_path / "o" / "report.json"
    taken.mkdir(parents=True)
    given = [word for key, value in model_judge.items() for word in (f"--{key}", value)]
    found = valueflow("judge", "calibrate", *given, "--windows", windows, "-o", taken.parent)
    assert found.code == 1
    (told,) = [line for line in found.err.splitlines() if line.startswith("valueflow: ")]
    assert "Is a directory" in told
    assert said in told
    assert "no result was kept" not in told
    assert (taken.parent / "profile.json").is_file()
    assert (tmp_path / "profiles").exists() is (windows == 640)


def test_a_judge_that_fails_says_that_no_result_was_kept(valueflow, model_judge, monkeypatch):
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("valueflow_scorers._judge_report.judge_report", full)
    given = [word for key, value in model_judge.items() for word in (f"--{key}", value)]
    found = valueflow("judge", "calibrate", *given, "--windows", 60)
    assert found.code == 1
    assert "No space left on device; no result was kept; what a model said is in its" in found.err


def test_a_journal_that_is_not_there_is_said_to_be_missing(valueflow, tmp_path):
    found = valueflow("journal", "stats", tmp_path / "none")
    assert found.code == 2
    assert found.err.startswith(f"valueflow: no journal in {tmp_path / 'none'}")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("k", "words"), [("1", "2 to 10 items"), ("11", "2 to 10 items"), ("40", "2 to 10 items")]
)  # fmt: skip
def test_a_window_size_that_cannot_be_used_is_refused_before_a_judge_is_paid(
    valueflow, monkeypatch, tmp_path, k, words
):
    class Paid:
        name, prompt_version, asked = "ranking:some/model", "1", 0

        async def judge(self, windows: Any) -> Any:
            Paid.asked += len(windows)
            return await SimulatedJudge([load_panel("svt/power")]).judge(windows)

    monkeypatch.setattr("valueflow_scorers.judges._model_judge", lambda *_: Paid())
    found = valueflow(
        "judge", "calibrate", "--judge", "ranking:some/model", "--values", "svt/power",
        "--windows", 20, "--journal", tmp_path / "journal", "--k", k,
    )  # fmt: skip
    assert found.code == 2
    assert words in found.err
    assert Paid.asked == 0
