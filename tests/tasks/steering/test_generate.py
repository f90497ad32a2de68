"""Steering inside generate: caches, padding, beams, scopes."""

from __future__ import annotations

import pytest
import torch
from valueflow_scorers import ValueFlowError

from valueflow_tasks.steering import steer

CLOSE = {"atol": 1e-4, "rtol": 0.0}
NEW = 4


def generate(model, ids, mask=None, **rest):
    made = model.generate(
        ids,
        attention_mask=torch.ones_like(ids) if mask is None else mask,
        max_new_tokens=NEW,
        min_new_tokens=NEW,
        do_sample=False,
        output_logits=True,
        return_dict_in_generate=True,
        **rest,
    )
    return made.sequences[:, ids.shape[1] :], torch.stack(made.logits, 1)


def by_hand(model, row, vectors, dose, **rest):
    """Greedy decoding of one row, every step a forward pass over the whole text."""
    text, steps = row[None], []
    for _ in range(NEW):
        with torch.no_grad(), steer(model, vectors, [dose], prompt_lengths=[len(row)], **rest):
            steps.append(model(text).logits[:, -1])
        text = torch.cat([text, steps[-1].argmax(-1, keepdim=True)], 1)
    return text[0, len(row) :], torch.stack(steps, 1)[0]


@pytest.mark.parametrize("scope", ["all", "prompt", "response"])
def test_a_padded_batch_generates_what_each_row_does_by_hand(any_model, vector, tokens, pad, scope):
    rows = [tokens(1, n, seed=n)[0] for n in (3, 6, 1)]
    vectors, doses = [vector(0), vector(1)], [[0.8, 0.0], [0.0, 0.0], [-0.4, 0.6]]
    ids, mask = pad(rows, "left")
    with steer(any_model, vectors, doses, scope=scope):
        texts, steps = generate(any_model, ids, mask)
    for row, dose, text, step in zip(rows, doses, texts, steps, strict=True):
        expected, expected_steps = by_hand(any_model, row, vectors, dose, scope=scope)
        assert text.tolist() == expected.tolist()
        torch.testing.assert_close(step, expected_steps, **CLOSE)


@pytest.mark.parametrize(
    "how",
    [
        {"use_cache": False},
        {"cache_implementation": "static"},
        {"prefill_chunk_size": 2},
        {"prompt_lookup_num_tokens": 2},
    ],
    ids=lambda how: next(iter(how)),
)
@pytest.mark.parametrize("scope", ["all", "prompt", "response"])
def test_the_way_of_decoding_does_not_matter(model, vector, tokens, pad, scope, how):
    rows = 1 if "prompt_lookup_num_tokens" in how else 2
    ids, mask = pad([tokens(1, n, seed=n)[0] for n in (6, 4)[:rows]], "left")
    with steer(model, [vector(1)], [[0.7], [-0.7]][:rows], scope=scope):
        expected, _ = generate(model, ids, mask)
        got, _ = generate(model, ids, mask, **how)
    assert got.tolist() == expected.tolist()


@pytest.mark.parametrize("family", ["mistral", "gemma3", "mixtral"])
def test_static_caches_with_sliding_windows(make_model, family, vector, tokens, pad):
    model = make_model(family)
    ids, mask = pad([tokens(1, n, seed=n)[0] for n in (6, 4)], "left")
    with steer(model, [vector(1)], [[0.7], [-0.7]], scope="response"):
        expected, _ = generate(model, ids, mask)
        got, _ = generate(model, ids, mask, cache_implementation="static")
    assert got.tolist() == expected.tolist()


@pytest.mark.parametrize("cache", ["dynamic", "static"])
@pytest.mark.parametrize("family", ["llama", "gemma3", "mistral"])
def test_generate_steers_no_padding(make_model, family, vector, tokens, pad, cache):
    """Static caches come with four-dimensional masks."""
    model = make_model(family)
    ids, mask = pad([tokens(1, n, seed=n)[0] for n in (3, 6)], "left")
    how = {} if cache == "dynamic" else {"cache_implementation": cache}
    seen = []
    hook = model.base_model.layers[1].register_forward_hook(
        lambda module, args, output: seen.append(output)
    )
    generate(model, ids, mask, **how)
    with steer(model, [vector(1)], [0.9]):
        generate(model, ids, mask, **how)
    hook.remove()
    plain, steered = seen[0], seen[NEW]
    moved = ~torch.isclose(plain, steered).all(-1)
    assert moved.tolist() == mask.bool().tolist()


def test_embeddings_and_a_missing_mask_are_understood(llama, vector, tokens):
    ids, v = tokens(2, 5), vector(1)
    with steer(llama, [v], [0.9], scope="response"):
        expected, _ = generate(llama, ids)
        bare = llama.generate(ids, max_new_tokens=NEW, do_sample=False)[:, 5:]
        embedded = llama.generate(
            inputs_embeds=llama.get_input_embeddings()(ids), max_new_tokens=NEW, do_sample=False
        )
    assert bare.tolist() == embedded.tolist() == expected.tolist()


@pytest.mark.parametrize(
    "how", [{"num_beams": 3}, {"num_beams": 3, "num_return_sequences": 2}], ids=["one", "two"]
)
def test_beams_follow_their_row(model, vector, tokens, how):
    ids, v = tokens(2, 5), vector(1)
    kept = how.get("num_return_sequences", 1)
    rest = {"max_new_tokens": NEW, "attention_mask": torch.ones_like(ids), **how}
    with steer(model, [v], [[0.9], [-0.9]]):
        together = model.generate(ids, **rest)
    rest["attention_mask"] = torch.ones_like(ids[:1])
    for row, dose in enumerate((0.9, -0.9)):
        with steer(model, [v], [dose]):
            alone = model.generate(ids[row : row + 1], **rest)
        assert together[row * kept : (row + 1) * kept].tolist() == alone.tolist()


def test_several_sampled_answers_share_their_row(llama, vector, tokens):
    ids, direction = tokens(2, 5), vector(2)
    with steer(llama, [direction], [[200.0], [0.0]]):
        made = llama.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=True,
            top_k=1,
            num_return_sequences=3,
            max_new_tokens=NEW,
        )
    far = llama.lm_head(llama.model.norm(direction.direction)).argmax()
    assert (made[:3, 5:] == far).all()
    assert not (made[3:, 5:] == far).all()


def test_prompt_lengths_hold_in_generate_too(llama, vector, tokens):
    """So that an answer that is already begun can be steered from its beginning."""
    ids, v = tokens(1, 6), vector(1)
    with steer(llama, [v], [1.5], scope="response", prompt_lengths=[3]):
        _, steps = generate(llama, ids)
        with torch.no_grad():
            expected = llama(ids).logits[:, -1]
    torch.testing.assert_close(steps[:, 0], expected, **CLOSE)
    with steer(llama, [v], [1.5], scope="response"):
        _, later = generate(llama, ids)
    assert not torch.allclose(later[:, 0], expected)


def test_a_loop_of_ones_own_with_a_cache_needs_prompt_lengths(llama, vector, tokens, pad):
    ids, mask = pad([tokens(1, n, seed=n)[0] for n in (3, 5)], "left")
    v, doses = vector(1), [[0.6], [-0.8]]
    with steer(llama, [v], doses, scope="response"):
        expected, _ = generate(llama, ids, mask)
    cache, text, last = None, [], ids
    with torch.no_grad(), steer(llama, [v], doses, scope="response", prompt_lengths=[3, 5]):
        for _ in range(NEW):
            place = (mask.cumsum(1) - 1).clamp(min=0)[:, -last.shape[1] :]
            out = llama(
                last, attention_mask=mask, position_ids=place, past_key_values=cache, use_cache=True
            )
            cache, last = out.past_key_values, out.logits[:, -1:].argmax(-1)
            text.append(last)
            mask = torch.cat([mask, torch.ones_like(last)], 1)
    assert torch.cat(text, 1).tolist() == expected.tolist()


def test_a_batch_of_another_size_is_refused(llama, vector, tokens, logits):
    with steer(llama, [vector(1)], [[0.5], [0.5]]):
        for rows in (3, 4):  # a multiple is no excuse outside generate
            with pytest.raises(ValueFlowError, match=f"2 rows and the batch has {rows}"):
                logits(llama, tokens(rows, 4))
        with pytest.raises(ValueFlowError, match="2 rows and the batch has 3"):
            generate(llama, tokens(3, 4))


def test_scopes_outside_generate_ask_for_prompt_lengths(llama, vector, tokens, logits):
    for scope in ("prompt", "response"):
        with (
            steer(llama, [vector(1)], [0.5], scope=scope),
            pytest.raises(ValueFlowError, match="needs prompt_lengths"),
        ):
            logits(llama, tokens(1, 4))


def test_a_wrapped_generate_is_put_back_after_an_error(llama, vector, tokens):
    with steer(llama, [vector(1)], [[0.5], [0.5]]):
        with pytest.raises(ValueFlowError):
            generate(llama, tokens(3, 4))
        with pytest.raises(ValueFlowError, match="2 rows and the batch has 4"):
            llama(tokens(4, 4))
    assert "generate" not in llama.__dict__


@pytest.mark.parametrize("scope", ["all", "prompt", "response"])
@pytest.mark.parametrize("family", ["mamba", "minimax"])
def test_states_that_count_no_tokens_do_not_confuse_prompt_and_answer(
    family, scope, make_model, vector, tokens
):
    model, row = make_model(family), tokens(1, 6)[0]
    with steer(model, [vector(1)], [3.0], scope=scope):
        text, steps = generate(model, row[None])
    expected, expected_steps = by_hand(model, row, [vector(1)], 3.0, scope=scope)
    assert text[0].tolist() == expected.tolist()
    torch.testing.assert_close(steps[0], expected_steps, **CLOSE)


def test_rows_of_coefficients_are_rows_of_prompts(llama, vector, tokens):
    """Twice as many prompts as rows are no beams."""
    with (
        pytest.raises(ValueFlowError, match="one for each prompt"),
        steer(llama, [vector(1)], [[5.0], [-5.0]]),
    ):
        generate(llama, tokens(4, 3))
