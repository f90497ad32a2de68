from __future__ import annotations

import json

import numpy as np
import pytest
from valueflow_scorers import Judgement, ValueFlowError, load_panel

from valueflow_tasks.vidb import (
    JudgementFile,
    Ranking,
    RankSettings,
    Text,
    TextFile,
    build,
    read_texts,
)
from valueflow_tasks.vidb._design import (
    UNIFORM_SHARE,
    active_windows,
    expected_gain,
    next_kind,
    other_windows,
    uniform_windows,
)
from valueflow_tasks.vidb._duplicates import find_duplicates
from valueflow_tasks.vidb._judging import judge_here
from valueflow_tasks.vidb._sample import sample_texts
from valueflow_tasks.vidb._texts import merge_texts


def test_ranked_texts_come_back_in_place(truth_of, tmp_path):
    texts, truth, judge = truth_of(80)
    settings = RankSettings("svt/power", "", judge, 3, 20)
    file = Ranking(texts, tmp_path / "j.jsonl", settings).run()
    database = build(texts, [file], licence="CC0")
    error = database.intensities - truth
    assert np.sqrt(np.mean(error**2)) < 1.2
    assert np.corrcoef(database.intensities, truth)[0, 1] > 0.97
    assert 0.8 < np.mean(np.abs(error) < 1.645 * database.stderrs) <= 1.0
    noise = next(iter(database.head["fit"]["judges"].values()))["noise"]
    assert noise == pytest.approx(1.0, rel=0.4)


def test_at_least_thirty_percent_of_all_windows_are_uniform(truth_of, tmp_path):
    texts, _, judge = truth_of(60)
    file = Ranking(texts, tmp_path / "j.jsonl", RankSettings("svt/power", "", judge, 2, 16)).run()
    uniform, active = file.planned("uniform"), file.planned("active")
    assert active > 0
    assert uniform >= UNIFORM_SHARE * (uniform + active)
    assert next_kind(30, 70, 100) == (30, 70)


def test_a_killed_run_resumes_without_asking_again(truth_of, tmp_path):
    texts, _, judge = truth_of(40)
    settings = RankSettings("svt/power", "", judge, 2, 6, batch=16)
    whole = Ranking(texts, tmp_path / "whole.jsonl", settings).run()
    asked = []

    def dying(ranking, places):
        for place in places:
            if len(asked) == 50:
                raise KeyboardInterrupt
            asked.append(place)
            judge_here(ranking, [place])

    path = tmp_path / "cut.jsonl"
    with pytest.raises(KeyboardInterrupt):
        Ranking(texts, path, settings).run(dying)
    path.write_bytes(path.read_bytes() + b'{"round": 0, "win')
    again = []

    def counting(ranking, places):
        again.extend(places)
        judge_here(ranking, places)

    resumed = Ranking(texts, path, settings).run(counting)
    assert resumed.orders == whole.orders
    assert not set(asked) & set(again)


def test_the_target_error_stops_the_ranking(truth_of, tmp_path):
    texts, _, judge = truth_of(60)
    settings = RankSettings("svt/power", "", judge, 3, 60, target_stderr=1.5)
    ranking = Ranking(texts, tmp_path / "j.jsonl", settings)
    assert ranking.run().planned() < ranking.most


def test_failures_are_asked_once_more_and_counted(truth_of, tmp_path):
    texts, _, judge = truth_of(20)
    settings = RankSettings("svt/power", "", judge, 2, 4)

    def failing(ranking, places):
        for place in places:
            if place[1] % 5 == 0 and ranking.file.plans[place[0]][0] != "retry":
                ranking.file.record([place], [Judgement(failure="no order found")])
            else:
                judge_here(ranking, [place])

    file = Ranking(texts, tmp_path / "j.jsonl", settings).run(failing)
    assert file.planned("retry") == len(file.failures) > 0
    assert len(file.orders) == file.planned("uniform") + file.planned("active")


def test_a_judge_that_orders_nothing_is_named(tmp_path):
    texts = TextFile(tuple(Text(f"{i}", f"unknown {i}") for i in range(6)), ())
    ranking = Ranking(texts, tmp_path / "j.jsonl", RankSettings("svt/power", "", "simulated"))
    with pytest.raises(ValueFlowError, match=r"ordered none of .*unknown text"):
        ranking.run()


def test_every_question_is_asked_before_one_is_asked_again(truth_of, tmp_path):
    texts, _, judge = truth_of(12)
    for repeats, windows in ((20, 120), (60, 132)):
        settings = RankSettings("svt/power", "", judge, 2, repeats)
        file = Ranking(texts, tmp_path / f"{repeats}.jsonl", settings).run()
        asked = [members for _, planned in file.plans for members in planned]
        assert len(set(asked)) == len(asked) == windows


def test_windows_that_were_not_asked_are_found_when_few_are_left():
    rng, ids = np.random.default_rng(0), [f"{i}" for i in range(5)]
    asked = {(a, b) for a in ids for b in ids if a != b} - {("3", "1"), ("0", "4")}
    assert set(other_windows(rng, ids, 2, 9, asked)) == {("3", "1"), ("0", "4")}
    many = [f"{i}" for i in range(2000)]
    assert len(other_windows(rng, many, 2, 30, set())) == 30


def test_another_setting_is_no_resumption(truth_of, tmp_path):
    texts, _, judge = truth_of(20)
    Ranking(texts, tmp_path / "j.jsonl", RankSettings("svt/power", "", judge, 2, 1))
    with pytest.raises(ValueFlowError, match="begun with k=2"):
        Ranking(texts, tmp_path / "j.jsonl", RankSettings("svt/power", "", judge, 3, 1))
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(ValueFlowError, match="this is not a file"):
        JudgementFile.read(tmp_path / "x.jsonl")


def test_unreachable_texts_are_named_or_dropped(truth_of, tmp_path):
    texts, _, judge = truth_of(20)
    file = Ranking(texts, tmp_path / "j.jsonl", RankSettings("svt/power", "", judge, 2, 8)).run()
    more = TextFile((*texts.texts, Text("lonely", "a lonely text")), ())
    with pytest.raises(ValueFlowError, match="lonely"):
        build(more, [file])
    assert len(build(more, [file], drop_unreachable=True).texts) == 20


def test_windows_hold_distinct_texts():
    rng = np.random.default_rng(0)
    for made in (
        uniform_windows(rng, 11, 4, 50),
        active_windows(rng, rng.normal(size=11), np.ones(11), 4, 50),
    ):
        assert made.shape == (50, 4)
        assert all(len(set(row)) == 4 for row in made.tolist())


def test_open_comparisons_of_unsure_texts_teach_most():
    places, variances = np.array([[0.0, 0.1], [0.0, 4.0], [0.0, 0.1]]), np.ones((3, 2))
    variances[2] = 0.2
    gain = expected_gain(places, variances)
    assert gain[0] > gain[1] > gain[2] > 0
    exact = 0.2 * (0.2**2 * 2) / (1 + 0.2 * 0.4)  # of a comparison with the information 0.2
    assert gain[2] == pytest.approx(exact, rel=0.3)


def test_bad_lines_are_skipped_by_number(tmp_path):
    path = tmp_path / "t.jsonl"
    long = "x" * 7000
    rows = ['{"text": "fine", "neutral": 1}', '{"text": ""}', '{"text": 5}', "{"]
    rows += [json.dumps({"text": long}), '{"text": "x", "neutral": "false"}']
    rows += ['{"text": "\\ud83d half"}', '{"text": "big", "id": ' + "9" * 6000 + "}", "[" * 10**5]
    path.write_text("\n".join(rows) + "\n")
    read = read_texts(path)
    assert [text.text for text in read.texts] == ["fine"]
    assert [line.partition(":")[0] for line in read.skipped] == [
        "line 2",
        "line 3",
        "line 4",
        "line 5",
        "line 6",
        "line 7",
        "line 8",
        "line 9",
    ]
    assert read.neutral == (0,)
    assert "neutral is 'false': give true or false" in read.skipped[4]


def test_one_id_for_two_texts_is_refused():
    one, other = TextFile((Text("a", "x"),), ()), TextFile((Text("a", "y"),), ())
    with pytest.raises(ValueFlowError, match="two files have the id 'a'"):
        merge_texts([one, other])


def test_samples_are_balanced_and_without_duplicates():
    words = [text.text for text in load_panel("svt/power").texts]
    words += [text.text for text in load_panel("mft/care").texts]
    texts = [
        Text(f"s{i}", one, direction="supports", source="a") for i, one in enumerate(words[:40])
    ]
    texts += [Text(f"o{i}", one, direction="opposes") for i, one in enumerate(words[40:48])]
    texts.append(Text("copy", texts[0].text.upper() + "!"))
    sample = sample_texts(texts, 16)
    assert sample.duplicates == 1
    assert sum(text.direction == "opposes" for text in sample.texts) == 8
    assert all(text.source == "a" for text in sample.texts if text.id.startswith("s"))


def test_near_duplicates_are_found_and_neighbours_are_not():
    texts = [
        "I keep every promise, even small ones.",
        "I keep every promise, even tiny ones!",
        "Promises are for people with time.",
    ]
    assert [(pair.first, pair.second) for pair in find_duplicates(texts)] == [(0, 1)]
