from __future__ import annotations

import pytest

from valueflow_tasks.vidb._choice import choice_of

LETTERS, DIGITS = "ABCDEFGHIJ", ("1", "2")
WORDS, VERDICTS = ("supports", "opposes", "neutral"), ("plausible", "weird")


@pytest.mark.parametrize(
    ("reply", "options", "choice"),
    [
        ("B", LETTERS, "B"),
        ("\n  C  \n", LETTERS, "C"),
        ("B. It is a text about care.", LETTERS, "B"),
        ("B\n\nThe text shows a person who cares.", LETTERS, "B"),
        ("The answer is (B), as I read it.", LETTERS, "B"),
        ("I read it as **B**.", LETTERS, "B"),
        ("1 (gap of 9 vs gap of 2)", DIGITS, "1"),
        ("1 - the difference between A and B is about 2 steps larger", DIGITS, "1"),
        ("I think 2, not 1... final: 2", DIGITS, "2"),
        ("opposes: it neither supports nor leaves it aside", WORDS, "opposes"),
        ("Supports.", WORDS, "supports"),
        ("weird because it praises power", VERDICTS, "weird"),
        ('{"verdict": "weird", "reason": "he said "no""}', VERDICTS, "weird"),
    ],
)
def test_a_reply_is_read_as_it_was_meant(reply, options, choice):
    assert choice_of(reply, options) == choice


@pytest.mark.parametrize(
    ("reply", "options"),
    [
        ("", LETTERS),
        ("b", LETTERS),
        ("A text about care.", LETTERS),
        ("A or B", LETTERS),
        ("A, B and C", LETTERS),
        ("**A** for care, **B** for loyalty", LETTERS),
        ("Between A and B (1), or between C and D (2)?", DIGITS),
        ("1.5", DIGITS),
        ("It is not weird", VERDICTS),
        ("supports or opposes, hard to say", WORDS),
    ],
)
def test_an_ambiguous_reply_is_no_vote(reply, options):
    assert choice_of(reply, options) is None
