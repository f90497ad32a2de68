"""What the objective does to texts: measured on gradients, not on its formula."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")

from valueflow_tasks.hives._concepts import unrelated_values  # noqa: E402
from valueflow_tasks.hives._levels import theory_hierarchy  # noqa: E402
from valueflow_tasks.hives._loss import (  # noqa: E402
    AxesLoss,
    AxesWeights,
    HierarchyLoss,
    HierarchyWeights,
    gradient_shares,
    level_losses,
)

SHARED = torch.from_numpy(theory_hierarchy().shared)
POSITION = theory_hierarchy().position


def _labels(*names):
    leaves = torch.tensor([POSITION[name] for name in names])
    return SHARED[leaves][:, leaves]


def _batch(seed=0, groups=8, per=8):
    """Siblings, cousins and strangers, both directions, random unit vectors."""
    rng = np.random.default_rng(seed)
    names = ["svt/benevolence-caring", "svt/benevolence-dependability", "svt/universalism-nature"]
    names += ["svt/humility", "rights/vote", "rights/privacy", "mft/purity", "duties/fidelity"]
    leaves = [name for name in names[:groups] for _ in range(per)]
    vectors = torch.from_numpy(rng.standard_normal((len(leaves), 32)))
    direction = torch.tensor([1, -1] * (len(leaves) // 2))
    return torch.nn.functional.normalize(vectors, dim=1), _labels(*leaves), direction


@pytest.mark.parametrize("seed", range(3))
def test_levels_2_and_3_get_more_than_a_quarter_of_the_gradient_each(seed):
    group, value, leaf = gradient_shares(*_batch(seed), HierarchyWeights())
    assert value > 0.25
    assert leaf > 0.25
    assert group > 0


def _pull(vectors, shared, direction, weights, pair):
    """Derivative of the loss by one pair's similarity: positive repels, negative draws.

    All similarities are 0, so that only the labels differ.
    """
    first, second = pair
    moved = []
    for step in (1e-4, -1e-4):
        gram = torch.eye(len(vectors), dtype=torch.float64)
        gram[first, second] = gram[second, first] = step
        rows = torch.linalg.cholesky(gram)
        moved.append(
            sum(
                float(weight * loss.sum())
                for weight, loss in zip(
                    weights.levels, level_losses(rows, shared, direction, weights), strict=True
                )
            )
        )
    return (moved[0] - moved[1]) / 2e-4


@pytest.fixture
def five():
    """Two of a leaf and side, one of the other side, a sibling and two strangers."""
    names = ["svt/benevolence-caring"] * 3 + ["svt/benevolence-dependability"] * 2
    names += ["rights/vote"] * 2
    direction = torch.tensor([1, 1, -1, 1, -1, 1, -1])
    return torch.eye(7, dtype=torch.float64), _labels(*names), direction


def test_opposites_of_a_leaf_repel_more_than_unrelated_texts(five):
    """The release halves their repulsion; there the first would be the smaller."""
    weights = HierarchyWeights()
    opposite = _pull(*five, weights, (0, 2))
    unrelated = max(_pull(*five, weights, (0, 5)), _pull(*five, weights, (0, 6)))
    assert opposite > unrelated > 0
    halved = HierarchyWeights(opposition=0.5)
    assert _pull(*five, halved, (0, 2)) < _pull(*five, halved, (0, 6))


def test_same_side_of_a_leaf_draws_more_than_of_a_sibling(five):
    weights = HierarchyWeights()
    assert _pull(*five, weights, (0, 1)) < _pull(*five, weights, (0, 3)) < 0


def test_the_other_side_of_a_sibling_is_left_alone(five):
    """It is neither a positive nor a stranger: only the leaf's own level tells them apart."""
    coarse = HierarchyWeights(levels=(1.0, 1.0, 0.0))
    assert abs(_pull(*five, coarse, (0, 4))) < 1e-6


def test_a_text_without_a_positive_costs_nothing_and_gets_no_gradient_of_its_own():
    vectors = torch.eye(2, dtype=torch.float64, requires_grad=True)
    losses = level_losses(vectors, _labels("rights/vote", "mft/purity"), torch.tensor([1, 1]),
                          HierarchyWeights())  # fmt: skip
    total = sum(loss.sum() for loss in losses)
    assert float(total.detach()) == 0
    total.backward()
    assert float(vectors.grad.abs().sum()) == 0


def test_a_maximum_over_levels_would_starve_two_of_them():
    """The released objective keeps the largest level only: the fault that ours must not have."""
    vectors, shared, direction = _batch()
    vectors = vectors.requires_grad_()
    losses = [loss.mean() for loss in level_losses(vectors, shared, direction, HierarchyWeights())]
    largest = max(range(3), key=lambda level: float(losses[level].detach()))
    reached = torch.autograd.grad(torch.stack(losses).max(), losses, allow_unused=True)
    assert [float(one) for one in reached] == [float(level == largest) for level in range(3)]


class _Fixed(torch.nn.Module):
    """An encoder that returns what it holds."""

    def __init__(self, vectors, axes):
        super().__init__()
        self.vectors = torch.nn.Parameter(vectors.float())
        self.axes = torch.nn.Parameter(axes)

    def forward(self, features):
        return {**features, "sentence_embedding": self.vectors, "axes": self.axes}


def _fixed_loss(axes=AxesWeights(own=1.0), weight=1.0, readings=0.0):  # noqa: B008
    vectors, _, direction = _batch()
    names = ("svt/face", "rights/vote", "mft/purity", "duties/justice")
    leaves = torch.tensor([POSITION[name] for name in names] * 16)
    labels = torch.stack([leaves, direction, torch.full_like(direction, 2)], dim=1)
    model = _Fixed(vectors, torch.full((64, 33), readings))
    loss = HierarchyLoss(model, theory_hierarchy(), HierarchyWeights(), axes, weight)
    return model, loss([{}], labels), labels


def test_the_axis_of_a_texts_own_value_learns_its_strength_and_no_other_does():
    model, parts, labels = _fixed_loss()
    parts["axes"].backward()
    own = theory_hierarchy().value_of[labels[:, 0].numpy()]
    gradient = model.axes.grad
    moved = gradient[torch.arange(64), torch.from_numpy(own)]
    assert torch.equal(torch.sign(moved), -labels[:, 1].float()), "support up, opposition down"
    assert torch.equal(gradient[:, -1], moved), "the shared column moves with them"
    assert int((gradient != 0).sum()) == 128


def test_a_text_reads_neutral_on_values_that_have_nothing_to_do_with_it():
    model, parts, labels = _fixed_loss(AxesWeights(own=1.0, elsewhere=0.5), readings=0.25)
    parts["axes"].backward()
    own = theory_hierarchy().value_of[labels[:, 0].numpy()]
    apart = torch.from_numpy(unrelated_values(theory_hierarchy())[own])
    gradient = model.axes.grad[:, :-1].clone()
    gradient[torch.arange(64), torch.from_numpy(own)] = 0
    assert (gradient[apart] > 0).all(), "readings above neutral are pulled down"
    assert (gradient[~apart] == 0).all(), "what related values read is not known"
    assert 0.5 < apart.float().mean() < 0.9


def test_answers_rated_on_another_value_say_nothing_of_the_rest():
    labels = torch.tensor([[3.0, 0.5, 0.0], [3.0, 0.5, 1.0]])
    model = _Fixed(torch.zeros(2, 4), torch.full((2, 33), 0.25))
    loss = AxesLoss(model, theory_hierarchy(), "answers", AxesWeights(1.0, 0.5), 2.0)
    loss([{}], labels)["answers"].backward()
    moved = (model.axes.grad[:, :-1] != 0).sum(dim=1).tolist()
    assert moved[0] == 0, "it reads what it should on that value, and the rest is not known"
    assert moved[1] > 15


def test_the_bound_pulls_relatives_nearer_and_takes_from_no_level():
    """Tight leaves far from their siblings break the order: the hinge acts on the value's level."""
    leaves = ["svt/benevolence-caring"] * 4 + ["svt/benevolence-dependability"] * 4
    leaves += ["rights/vote"] * 8
    labels = torch.tensor([[POSITION[leaf], 1, 2] for leaf in leaves])
    corners = torch.eye(3)[[0] * 4 + [1] * 4 + [2] * 8] + 0.01 * torch.ones(3)
    model = _Fixed(torch.nn.functional.normalize(corners, dim=1), torch.zeros(16, 33))
    weights = HierarchyWeights(bound=1.0)
    parts = HierarchyLoss(model, theory_hierarchy(), weights)([{}], labels)
    assert float(parts["bound"].detach()) > 0.1
    (bound,) = torch.autograd.grad(parts["bound"], model.vectors, retain_graph=True)
    (value,) = torch.autograd.grad(parts["level_2"], model.vectors, retain_graph=True)
    (leaf,) = torch.autograd.grad(parts["level_3"], model.vectors)
    torch.testing.assert_close(bound, value / weights.levels[1])
    assert float(leaf.norm()) > 0


def test_a_weight_multiplies_every_part():
    _, plain, _ = _fixed_loss()
    _, doubled, _ = _fixed_loss(weight=2.0)
    for name, loss in plain.items():
        assert float(doubled[name].detach()) == pytest.approx(2 * float(loss.detach()))
