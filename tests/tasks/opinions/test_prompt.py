"""How a question is put, and how an answer to it is read."""

from __future__ import annotations

import pytest

from valueflow_tasks.opinions import Question
from valueflow_tasks.opinions._prompt import opinion_turn, own_order, read_letter, shown_options


def question(*options: str, text: str = "What now?") -> Question:
    shares = tuple(1 / len(options) for _ in options)
    return Question("q", text, options, {"g": shares})


def sided(reversed_: bool) -> Question:
    """A question that is shown in its own order, or the other way round."""
    texts = (f"What now, number {i}?" for i in range(99))
    made = (question("Go", "Wait and see", "Stay", "A walk", text=text) for text in texts)
    return next(one for one in made if one.reversed is reversed_)


B = [
    "B", " B", "b", "B.", "b)", "(B)", "(b)", "[B]", "**B**", "_B_", '"B"', "‘B’", "\\boxed{B}",
    "$\\boxed{\\text{B}}$", "B\n\nBecause it is so.", "B - because", "B – because",
    "B because it is so",
    "B is my answer", "B is the best of them", "B) and nothing else",
    "The answer is B, I think.", "Answer: B", "Answer: b.", "Answer:\n\nB", "**Answer:** (B)",
    "Final answer: **B**", "My answer is option B.", "option B", "The best option is B.",
    "Option B seems best", "I'd choose B.", "I choose B over A", "I would pick B since it is so",
    "I'd go with option B because it is so", "I would not choose A; I pick B",
    "Option A is wrong; the answer is B.", "Between option A and option C, I choose B",
    "Option A has its points; option B is the best",
]  # fmt: skip
"""Ways of naming the second option shown."""


@pytest.mark.parametrize(
    ("answer", "shown"), [*((one, 1) for one in B), ("C", 2), ("(C)", 2), ("**D**", 3)]
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_letter_is_read_whichever_way_the_options_are_shown(answer, shown, turned):
    one = sided(turned)
    chosen = read_letter(one, answer)
    assert chosen is not None
    assert one.options[chosen] == shown_options(one)[shown]
    assert own_order(one, range(4))[chosen] == shown


@pytest.mark.parametrize("turned", [False, True])
def test_a_letter_may_stand_before_its_options_words(turned):
    one = sided(turned)
    for place, option in enumerate(shown_options(one)):
        for answer in ("{} {}", "{} - {}", "{}. {}", "**{}. {}**", "Answer: {} {}"):
            chosen = read_letter(one, answer.format("ABCD"[place], option))
            assert one.options[chosen] == option, answer


@pytest.mark.parametrize(
    "answer",
    [
        "", "E", "I cannot choose.", "A friend would know.", "a friend would know",
        "The answer is A or B", "Both A and B", "Option A is wrong.", "The answer is not B.",
        "I would not choose B", "The answer is a compromise", "U.S. policy", "e.g. this",
        "I can't answer. A neutral stance is best.", "I cannot answer\n\nA neutral stance",
        "The answer is A. No, the answer is B.",
    ],
)  # fmt: skip
def test_what_names_no_option_or_several_is_no_answer(answer):
    assert read_letter(sided(False), answer) is None


def test_among_many_options_i_is_a_word():
    one = question(*(f"option number {i}" for i in range(10)))
    for answer in ("I'd choose B.", "I choose B", "I would pick B"):
        assert shown_options(one)[1] == one.options[read_letter(one, answer)]
    assert read_letter(one, "I cannot choose.") is None


def test_the_words_of_an_option_are_an_answer_and_the_longest_counts():
    one = question("No", "No, not in the least", "A pity, it should stay")
    assert read_letter(one, "No, not in the least.") == 1
    assert read_letter(one, "No.") == 0
    assert read_letter(one, "A pity, it should stay") == 2
    # It begins with the words of an option; only that is taken for one.
    assert read_letter(sided(False), "Go away? No") == 0


def test_words_after_a_cue_are_an_option_only_as_a_whole():
    one = question("Yes", "No", "A great deal")
    assert read_letter(one, "The answer is no.") == 1
    assert read_letter(one, 'I\'d choose "No", because it is so') == 1
    assert read_letter(one, "Answer: A great deal") == 2
    assert read_letter(one, "A great deal") == 2
    assert read_letter(one, "I will answer no such question") is None
    assert read_letter(one, "I choose no option") is None


def test_what_steers_comes_first_and_nothing_else_differs():
    one = sided(False)
    plain, steered = opinion_turn(one), opinion_turn(one, "You are somebody.")
    assert steered == f"You are somebody.\n\n{plain}"
    assert plain.endswith("Answer with the letter of one option.\n\nAnswer:")
    assert opinion_turn(sided(True)).index("A walk") < opinion_turn(sided(True)).index("Go")
