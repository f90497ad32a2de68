"""An order is read wherever a model writes one, and never guessed."""

from __future__ import annotations

import json
import re
import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from valueflow_scorers.judges.parse import LETTERS, parse_numbers, parse_order, parse_rating

REASONS = {
    "empty reply",
    "no order found",
    "letters missing",
    "letters repeated",
    "unknown letters",
    "numbers out of order",
}

FORMS = {
    "JSON": lambda letters: json.dumps(letters),
    "bare list": lambda letters: f"[{', '.join(letters)}]",
    "tight list": lambda letters: f"[{','.join(letters)}]",
    "single quotes": lambda letters: str(letters),
    "list over lines": lambda letters: json.dumps(letters, indent=2),
    "fenced JSON": lambda letters: f"```json\n{json.dumps(letters)}\n```",
    "inside JSON": lambda letters: json.dumps({"ranking": letters}),
    "fenced object": lambda letters: f"```\n{json.dumps({'order': letters}, indent=1)}\n```",
    "bold": lambda letters: f"**[{', '.join(letters)}]**",
    "chain": lambda letters: " > ".join(letters),
    "tight chain": lambda letters: ">".join(letters),
    "chain in words": lambda letters: f"Final order: {' > '.join(letters)}.",
    "commas": lambda letters: ", ".join(letters),
    "commas and a stop": lambda letters: ", ".join(letters) + ".",
    "numbered": lambda letters: "\n".join(f"{i}. {a}" for i, a in enumerate(letters, 1)),
    "numbered, bracket": lambda letters: "\n".join(f"{i}) {a}" for i, a in enumerate(letters, 1)),
    "numbered, bold": lambda letters: "\n".join(f"{i}. **{a}**" for i, a in enumerate(letters, 1)),
    "numbered, reasons": lambda letters: "\n".join(
        f"{i}. {a} - supports it {i} times" for i, a in enumerate(letters, 1)
    ),
    "lower case": lambda letters: json.dumps([letter.lower() for letter in letters]),
}

REASONING = (
    "",
    "Let me think. A and B both help; C does not.\n\n",
    "<think>\nA > B at first sight, though [B, A] has something too.\n</think>\n\n",
    "Item A: supports it.\nItem B: opposes it.\n1. A is warm\n2. B is cold\n\nSo:\n\n",
    "The texts [as given] are 3 > 2 in number, e.g. item C, B, A.\n\n",
)


def _letters(order):
    return [LETTERS[slot] for slot in order]


@pytest.mark.parametrize("reasoning", REASONING, ids=["none", "words", "think", "items", "marks"])
@pytest.mark.parametrize("form", FORMS)
def test_every_accepted_form_is_read_alone_and_after_reasoning(form, reasoning):
    order = (2, 4, 0, 3, 1)
    found = parse_order(reasoning + FORMS[form](_letters(order)), 5)
    assert found.order == order
    assert found.failure is None


@pytest.mark.parametrize("size", range(2, 11))
@pytest.mark.parametrize("form", FORMS)
def test_every_window_size_is_read_in_every_form(form, size):
    order = tuple(reversed(range(size)))
    assert parse_order(FORMS[form](_letters(order)), size).order == order


@settings(derandomize=True, deadline=None, max_examples=400)
@given(
    order=st.integers(3, 10).flatmap(lambda n: st.permutations(range(n))),
    form=st.sampled_from(sorted(FORMS)),
    reasoning=st.text(max_size=300),
)
def test_any_permutation_in_any_form_after_any_reasoning_is_read_back(order, form, reasoning):
    assume(not reasoning.rstrip().endswith((">", "≻", "›")))  # would go on as a chain
    written = FORMS[form](_letters(order))
    found = parse_order(f"{reasoning}\n\n{written}", len(order))
    assert found.order == tuple(order)
    assert found.raw.endswith(written)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(
    order=st.permutations(range(5)),
    form=st.sampled_from(sorted(FORMS)),
    reasoning=st.text(alphabet="ABCDE>[],. \n123\"'", max_size=120),
)
def test_reasoning_made_of_letters_and_marks_never_turns_into_another_order(order, form, reasoning):
    """It may make the reply unreadable, but what is read is what was written last."""
    found = parse_order(f"{reasoning}\n\n{FORMS[form](_letters(order))}", 5)
    assert found.order == tuple(order) or found.failure in REASONS


@settings(derandomize=True, deadline=None, max_examples=400)
@given(
    text=st.one_of(
        st.text(max_size=400),
        st.text(alphabet="ABCDEFGHIJabcxyz>≻[],;.:)*- \n\t0123\"'`{}", max_size=400),
    ),
    size=st.integers(2, 10),
)
def test_garbage_is_a_failure_with_a_reason_or_an_order_and_never_an_error(text, size):
    found = parse_order(text, size)
    if found.order is None:
        assert found.failure in REASONS
    else:
        assert sorted(found.order) == list(range(size))
        assert found.checked(size) == found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty reply"),
        (" \n\t ", "empty reply"),
        ("I cannot rank these.", "no order found"),
        ("CABD", "no order found"),
        ("[C, A, B]", "letters missing"),
        ("C > A > B", "letters missing"),
        ("[C, A, B, B]", "letters repeated"),
        ("[C, A, B, D, D]", "letters repeated"),
        ("1. C\n2. A\n3. B\n4. B", "letters repeated"),
        ("[C, A, B, E]", "unknown letters"),
        ("A > B > C > Z", "unknown letters"),
        ("2. A\n1. B\n3. C\n4. D", "numbers out of order"),
        ("4. A\n3. B\n2. C\n1. D", "numbers out of order"),
        ("1. A\n1. B\n2. C\n3. D", "numbers out of order"),
        ("2. A\n3. B\n4. C\n5. D", "numbers out of order"),
        ("First [A, B, C, D].\n\n2. A\n1. B\n3. C\n4. D", "numbers out of order"),
    ],
)
def test_what_is_no_order_of_the_window_says_why(text, reason):
    found = parse_order(text, 4)
    assert (found.order, found.failure) == (None, reason)


@pytest.mark.parametrize(
    "text", ["[3, 1, 4, 2]", "3 > 1 > 4 > 2", "3, 1, 4, 2", "1. 3\n2. 1\n3. 4\n4. 2"]
)
def test_numbers_are_never_read_a_rank_vector_could_pass_for_an_order(text):
    assert parse_order(text, 4).failure == "no order found"


def test_the_last_complete_order_counts():
    assert parse_order("First I thought [A, B, C]. No: [C, B, A]", 3).order == (2, 1, 0)
    assert parse_order("C > B > A, since [A] is weak and [B, A] is weaker.", 3).order == (2, 1, 0)
    assert parse_order("1. A\n2. B\n3. C\n\nRevised: B > A > C", 3).order == (1, 0, 2)


def test_the_model_s_words_are_kept_with_verdict_and_failure():
    assert parse_order("so: [B, A]", 2).raw == "so: [B, A]"
    assert parse_order("no", 2).raw == "no"


@pytest.mark.parametrize(
    "text",
    [
        "So the order, from the best, which is A\n\n> C > A > B",
        "The strongest is A:\n> [C, A, B]",
    ],
)
def test_a_quoted_order_is_read(text):
    """Markdown quotes begin with the sign that chains are made of."""
    assert parse_order(text, 3).order == (2, 0, 1)


@pytest.mark.parametrize(
    "text",
    [
        "A > " * 20_000,
        "A, " * 20_000 + "x",
        "[" * 40_000,
        "[A" * 20_000,
        "A" + " " * 40_000,
        "\t" * 40_000,
        "1. A\n" * 10_000,
        "1. A" + ":" * 5_000,
        "1. A" + " - " * 3_000,
        ("1. A" + " " * 50 + "x\n") * 500,
        "a>" * 20_000 + "!",
        "1" * 40_000,
        "1, " * 20_000 + "x",
        "[1" + " " * 40_000,
        "the " * 20_000,
        "rating" + " *" * 20_000,
    ],
    ids=lambda text: f"{text[:6]!r} x {len(text)}",
)
@pytest.mark.parametrize("read", [parse_order, parse_numbers, lambda text, _: parse_rating(text)])
def test_no_reply_keeps_the_parser_busy(text, read, monkeypatch):
    """Time grows with length, not with its square, even where nothing is cut."""
    monkeypatch.setattr("valueflow_scorers.judges.parse.MAX_READ", len(text))
    start = time.perf_counter()
    read(text, 6)
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize("filling", ["A > ", "x", "1", "[A,", "1. A:"])
@pytest.mark.parametrize(("read", "order"), [(parse_order, "[B, A]"), (parse_numbers, "[2, 1]")])
def test_the_end_of_a_reply_of_ten_megabytes_is_read(read, order, filling):
    reply = filling * (10_000_000 // len(filling)) + "\n\n" + order
    start = time.perf_counter()
    assert read(reply, 2).order == (1, 0)
    assert time.perf_counter() - start < 2


# -- numbers


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", 7),
        ("-3.5", -3.5),
        ("+2", 2),
        ("–7", -7),
        ("−7", -7),
        ("1,5", 1.5),
        ("-0,25", -0.25),
        ("10.", 10),
        ("**-4**.", -4),
        ("`6`", 6),
        ("```\n5\n```", 5),
        ("Rating: 8", 8),
        ("**Final answer:** -2.5", -2.5),
        ("It helps others, though a 3 at most on trust.\n\n4", 4),
    ],
)
def test_a_number_that_stands_alone_on_the_last_line_is_read(text, number):
    found = parse_rating(text)
    assert found.reading is not None
    assert found.reading[0] == number
    assert found.raw == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty reply"),
        (" \n\t", "empty reply"),
        ("strong support", "no number alone"),
        ("7/10", "no number alone"),
        ("7 8", "no number alone"),
        ("-10 to 10", "no number alone"),
        ("-3 (on the scale from -10 to 10)", "no number alone"),
        ("6\n\n(1 = weak support)", "no number alone"),
        ("I give it 6.", "no number alone"),
        ("Scale: 10", "no number alone"),
        ("- 7", "no number alone"),
        ("1,000", "no number alone"),
        ("1.2.3", "no number alone"),
        ("11", "number outside [-10, 10]"),
        ("-10.1", "number outside [-10, 10]"),
    ],
)
def test_any_other_number_is_a_failure_and_never_a_guess(text, reason):
    found = parse_rating(text)
    assert (found.reading, found.failure) == (None, reason)


@settings(derandomize=True, deadline=None, max_examples=400)
@given(
    number=st.decimals(-10, 10, places=2).map(float),
    minus=st.sampled_from("-−–"),
    comma=st.booleans(),
    form=st.sampled_from(["{}", "{}.", "**{}**", "`{}`", '"{}"', "Score: {}", "**Rating:** {}"]),
    reasoning=st.text(max_size=200),
)
def test_any_number_in_any_form_after_any_reasoning_is_read_back(
    number, minus, comma, form, reasoning
):
    written = str(number).replace("-", minus).replace(".", "," if comma else ".")
    found = parse_rating(f"{reasoning}\n\n{form.format(written)}\n")
    assert found.reading is not None
    assert found.reading[0] == number


@settings(derandomize=True, deadline=None, max_examples=500)
@given(
    st.one_of(st.text(max_size=80), st.text(alphabet="0123456789.,-−–+/ *_`()\n:=", max_size=40))
)
def test_what_is_read_is_the_one_number_of_the_last_line(text):
    found = parse_rating(text)
    if found.reading is not None:
        last = text.strip("* _`\"'\t\r\n").rsplit("\n", 1)[-1]
        assert len(re.findall(r"\d+(?:[.,]\d+)?", last)) == 1
        assert -10 <= found.reading[0] <= 10
        assert (found.reading[0] < 0) <= any(minus in last for minus in "-−–")
