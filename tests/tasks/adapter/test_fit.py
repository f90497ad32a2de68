"""Fitting: what is planted is found, and what is chosen sees development queries only."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from valueflow_scorers import ValueFlowError, load_panel

from valueflow_tasks.prompts import user_turn
from valueflow_tasks.queries import load_queries
from valueflow_tasks.settings import Settings
from valueflow_tasks.steering._answer import answer, load_model
from valueflow_tasks.steering._capture import Activations, capture
from valueflow_tasks.steering._contrast import contrast_texts
from valueflow_tasks.steering._directions import directions, separation
from valueflow_tasks.steering._folder import DOSE, VectorFolder
from valueflow_tasks.steering._surprise import answer_losses, surprises
from valueflow_tasks.steering.fit import Tried, fit_vector, save_vector

METHODS = ("mean-difference", "pca", "probe", "regression")
TURNS = ["Who?", "What would you do with a day in the hills, and with whom?", "Why not?"]
TEXTS = [" I would wait.", " I go.", " We look around for a while, and then we see."]


def planted(layer: int) -> tuple[Activations, list[float], np.ndarray[Any, Any]]:
    """Noise everywhere, a direction that carries the level at one layer."""
    rng = np.random.default_rng(0)
    levels = [float(level) for level in (-2, -1, 1, 2) for _ in range(8)]
    x = rng.normal(size=(len(levels), 4, 24))
    direction = rng.normal(size=24)
    direction /= np.linalg.norm(direction)
    x[:, layer] += 3 * np.outer(levels, direction)
    return Activations(torch.tensor(x).float(), torch.ones(4)), levels, direction


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_a_planted_direction(method: Any) -> None:
    read, levels, direction = planted(2)
    found = directions(read, levels, method)
    assert found[2] @ direction > 0.9
    assert int(separation(read, levels, method).argmax()) == 2


def test_one_sided_texts_are_refused() -> None:
    read, levels, _ = planted(1)
    with pytest.raises(ValueFlowError, match="both sides"):
        directions(read, [abs(level) for level in levels], "pca")
    with pytest.raises(ValueFlowError, match="unknown fit method"):
        directions(read, levels, "mean")  # type: ignore[arg-type]


def test_activations_do_not_depend_on_the_batch(loaded) -> None:
    together = capture(loaded, TURNS, TEXTS, batch_size=3)
    alone = capture(loaded, TURNS, TEXTS, batch_size=1)
    assert together.means.shape[0] == 3
    assert torch.allclose(together.means, alone.means, atol=1e-3)
    assert torch.allclose(together.norms, alone.norms, rtol=1e-4)


def test_activations_are_those_of_the_answer(loaded) -> None:
    """Against the model's own hidden states; the prompt's tokens do not enter."""
    ids = [*loaded.tokenizer(TURNS[0])["input_ids"], *loaded.tokenizer(TEXTS[0])["input_ids"]]
    begin = len(loaded.tokenizer(TURNS[0])["input_ids"])
    with torch.no_grad():
        states = loaded.model(torch.tensor([ids]), output_hidden_states=True).hidden_states
    read = capture(loaded, TURNS[:1], TEXTS[:1])
    assert torch.allclose(read.means[0, 1], states[2][0, begin:].mean(0), atol=1e-3)


def test_surprise_is_that_of_the_unsteered_model(loaded) -> None:
    found = answer_losses(loaded, TURNS, [*TEXTS[:2], ""], batch_size=2)
    ids = [*loaded.tokenizer(TURNS[0])["input_ids"], *loaded.tokenizer(TEXTS[0])["input_ids"]]
    begin = len(loaded.tokenizer(TURNS[0])["input_ids"])
    with torch.no_grad():
        logs = loaded.model(torch.tensor([ids])).logits[0].log_softmax(-1)
    wanted = -sum(float(logs[i - 1, ids[i]]) for i in range(begin, len(ids))) / (len(ids) - begin)
    assert found[0] == pytest.approx(wanted, abs=1e-4)
    assert np.isnan(found[2])
    # No logits of the question are made, and none of what does not fit.
    cut = answer_losses(loaded, TURNS[:1], TEXTS[:1], max_length=len(ids) - 2)
    with torch.no_grad():
        logs = loaded.model(torch.tensor([ids[2:]])).logits[0].log_softmax(-1)
    wanted = [-float(logs[i - 3, ids[i]]) for i in range(begin, len(ids))]
    assert cut[0] == pytest.approx(np.mean(wanted), abs=1e-4)


def test_logits_are_made_of_answers_only(loaded, monkeypatch) -> None:
    made = []
    inner = loaded.model.lm_head.forward
    monkeypatch.setattr(
        loaded.model.lm_head, "forward", lambda x: made.append(x.shape[1]) or inner(x)
    )
    answer_losses(loaded, [TURNS[1] * 5], TEXTS[:1])
    assert made == [len(loaded.tokenizer(TEXTS[0])["input_ids"]) + 1]


def test_a_model_that_fails_costs_the_fluency_and_not_the_answers(loaded, caplog) -> None:
    assert surprises(loaded, TURNS[:2], [TEXTS[0], ""], batch_size=2)[1] is None
    broken = replace(loaded, model=None)
    assert surprises(broken, TURNS[:2], TEXTS[:2], batch_size=2) == [None, None]
    assert "perplexity is not known" in caplog.text


def test_panel_texts_are_refused_as_contrast(loaded, tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    stolen = load_panel("svt/power").anchors[0].text
    path.write_text(json.dumps({"text": stolen, "level": 2}) + "\n", "utf-8")
    with pytest.raises(ValueFlowError, match="anchor or sentinel"):
        contrast_texts(loaded, "svt/power", str(path), load_queries("dev")[:2])


def test_texts_that_answer_test_queries_are_refused_as_contrast(loaded, tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    query = load_queries("test")[0].text
    rows = [
        {"text": "I go.", "level": 2},
        {"text": "No.", "level": -2, "query": f" {query.upper()}"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with pytest.raises(ValueFlowError, match="is a test query"):
        contrast_texts(loaded, "svt/power", str(path), load_queries("dev")[:2])


def test_broken_answers_count_against_a_candidate() -> None:
    sound = Tried(2, 0.2, 1.0, 0.1, 1.1)
    assert Tried(2, 0.4, 1.5, 0.1, 1.1, share_unscored=0.5).worth < sound.worth
    assert Tried(2, 0.4, 3.0, 0.1, np.nan).worth == -np.inf
    assert Tried(2, 0.4, np.nan, np.nan, 1.0, share_unscored=1.0).worth == -np.inf
    assert Tried(2, 0.4, -2.0, 0.1, 9.0, share_unscored=0.9).worth < -1


class BrokenTrial:
    """Strong doses leave nothing that could be measured."""

    def __init__(self, dose: float) -> None:
        self.broken = dose > 0.3

    def estimates(self, level: float) -> list[int]:
        return [] if self.broken and level else [1]

    def mean(self, level: float) -> tuple[float, float]:
        assert self.estimates(level)
        return level, 0.1

    def loss(self, level: float) -> float:
        return np.nan if self.broken and level else 1.0

    def share_unscored(self, level: float) -> float:
        return float(not self.estimates(level))


def test_a_dose_that_breaks_the_model_does_not_end_the_fit(loaded, monkeypatch) -> None:
    from valueflow_tasks.steering import fit

    def trial(loaded: Any, value: str, queries: Any, conditions: Any, *_: Any, **__: Any) -> Any:
        return BrokenTrial(conditions[2.0].spec.vectors[0].coefficient / 2)

    monkeypatch.setattr(fit, "run_trial", trial)
    given = {"layers": [2], "queries": load_queries("dev")[:2]}
    instrument = Settings().instrument()
    fitted, tried = fit_vector(loaded, "svt/power", instrument, doses=(0.2, 0.4), **given)
    assert fitted.dose_per_level == 0.2
    assert tried[1].worth == -np.inf
    assert fitted.vector.fit["tried"][1]["gain"] is None
    with pytest.raises(ValueFlowError, match="try smaller doses"):
        fit_vector(loaded, "svt/power", instrument, doses=(0.4,), **given)


def test_a_tokenizer_comes_from_where_its_model_does(monkeypatch) -> None:
    import transformers

    asked = {}
    for kind in ("AutoTokenizer", "AutoModelForCausalLM"):
        inner = getattr(transformers, kind).from_pretrained

        def spy(path: str, kind: str = kind, inner: Any = inner, **given: Any) -> Any:
            asked[kind] = given
            return inner(path)

        monkeypatch.setattr(getattr(transformers, kind), "from_pretrained", spy)
    origin = {"revision": "abc", "token": "t", "trust_remote_code": True}
    load_model("bundled", device="cpu", **origin, attn_implementation="eager")
    assert asked["AutoTokenizer"] == origin
    assert asked["AutoModelForCausalLM"].items() >= origin.items()


def test_a_missing_extra_is_named(monkeypatch) -> None:
    from valueflow_tasks.steering import _installed

    monkeypatch.setattr(_installed, "find_spec", lambda name: None if name == "torch" else name)
    with pytest.raises(ValueFlowError, match=r"torch: pip install 'valueflow-tasks\[hf\]'"):
        load_model("bundled")


def test_test_queries_are_refused(loaded) -> None:
    instrument = Settings().instrument()
    with pytest.raises(ValueFlowError, match="`dev` only"):
        fit_vector(loaded, "svt/power", instrument, queries=load_queries("core")[:2])


def test_a_layer_that_is_not_there_is_refused_before_texts_are_read(
    loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("valueflow_tasks.steering.fit.contrast_texts")
    with pytest.raises(ValueFlowError, match=r"layer 9: the model has layers 0 to 4"):
        fit_vector(loaded, "svt/power", Settings().instrument(), layers=[1, 9])


def test_fit_keeps_what_it_tried_and_is_ready_for_use(loaded, tmp_path: Path) -> None:
    queries = load_queries("dev")[:4]
    fitted, tried = fit_vector(
        loaded, "svt/power", Settings().instrument(), source="prompts", sides="two",
        layers=[2], doses=(0.2, 0.4), queries=queries,
    )  # fmt: skip
    assert [(one.layer, one.dose) for one in tried] == [(2, 0.2), (2, 0.4)]
    assert fitted.dose_per_level == max(tried, key=lambda one: one.worth).dose
    save_vector(fitted, tmp_path)
    folder = VectorFolder(tmp_path)
    read = folder.vector("svt/power")
    assert read.fingerprint == fitted.fingerprint
    assert len(read.vector.fit["tried"]) == 2
    assert read.vector.residual_norm is not None
    assert read.vector.fit[DOSE] > 0
    # It steers, and more strongly with more of it.
    turns = [user_turn(query.text) for query in queries]
    plain = answer(loaded, turns)
    strong = answer(loaded, turns, [folder.dosed({"svt/power": 2.0}, {"svt/power": 1.0})] * 4)
    assert strong != plain
