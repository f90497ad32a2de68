"""Training objectives: the hierarchy with directions, and the strength on each value's axis.

Every level has its own supervised contrastive term (Khosla et al. 2020, `L_out`) with its own
weight, so that none can lose its gradient to another. The fine-to-coarse bound (the constraint of
HiMulConE, Zhang et al. 2022: texts that share more must not be farther apart) is added as a hinge
and not taken as a maximum: a maximum over levels passes the gradient of one level only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from ._concepts import unrelated_values
from ._levels import LEVELS, Hierarchy


@dataclass(frozen=True)
class HierarchyWeights:
    """What each part of the hierarchical loss counts."""

    levels: tuple[float, float, float] = (0.5, 0.75, 1.0)
    """Group, value, leaf: finer weighs more."""
    temperature: float = 0.1
    """Of the similarities."""
    opposition: float = 2.0
    """How many unrelated texts one text of the same leaf and opposite direction repels like."""
    bound: float = 0.5
    """Of the hinge that keeps a coarser level's loss below the finer level's."""


def level_losses(
    vectors: Tensor, shared: Tensor, directions: Tensor, weights: HierarchyWeights
) -> list[Tensor]:
    """Contrastive loss per text and level, coarse to fine.

    A positive shares the level and the direction. At the two coarser levels a text on the other
    side is neither drawn nor repelled, unless it is of the same leaf: those are repelled at every
    level, with `opposition` times the weight of a stranger.

    Args:
        vectors: [n, d], rows of unit norm.
        shared: Levels in common, [n, n].
        directions: -1, 0 or 1, [n].
        weights: Temperature and opposition are used.

    Returns:
        Three tensors [n]; 0 where a text has no positive in the batch.
    """
    similarity = vectors @ vectors.T / weights.temperature
    own = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    same = directions[:, None] == directions[None, :]
    opposite = (shared == LEVELS) & (directions[:, None] * directions[None, :] == -1)
    weighted = similarity + math.log(weights.opposition) * opposite
    found = []
    for level in range(1, LEVELS + 1):
        related = shared >= level
        positive = related & same & ~own
        ignored = own | (related & ~same & ~opposite)
        total = torch.logsumexp(weighted.masked_fill(ignored, -math.inf), dim=1, keepdim=True)
        share = torch.where(positive, similarity - total, 0.0)
        count = positive.sum(dim=1)
        found.append(-share.sum(dim=1) / count.clamp(min=1))
    return found


@dataclass(frozen=True)
class AxesWeights:
    """What the values' axes count."""

    own: float = 0.0
    """Of the squared error of the strength on a text's own value; 0: there are no axes."""
    elsewhere: float = 0.0
    """Of the squared readings on values that have nothing to do with it, relative to `own`: a
    text about one thing is neutral about another."""


def axes_error(
    axes: Tensor, position: Tensor, wanted: Tensor, apart: Tensor, elsewhere: float
) -> Tensor:
    """How far readings are from what they should be.

    Args:
        axes: Readings, the shared one last, [n, values + 1].
        position: Of the value that is known of each text, [n].
        wanted: What it should read there; 1 is clear support, [n].
        apart: Values on which each text should read 0, [n, values], 1 or 0.
        elsewhere: Weight of the latter.
    """
    read = axes[:, :-1] + axes[:, -1:]
    error = (read.gather(1, position[:, None])[:, 0] - wanted).square().mean()
    if elsewhere:
        count = apart.sum(dim=1).clamp(min=1)
        error = error + elsewhere * ((read.square() * apart).sum(dim=1) / count).mean()
    return error


class HierarchyLoss(nn.Module):
    """Stage 1: all levels, the bound, and the strength on the value's axis."""

    shared: Tensor
    value_of: Tensor
    unrelated: Tensor

    def __init__(
        self,
        model: nn.Module,
        hierarchy: Hierarchy,
        weights: HierarchyWeights,
        axes: AxesWeights = AxesWeights(),
        weight: float = 1.0,
    ) -> None:
        """Prepare the loss.

        Args:
            model: A sentence encoder; with weights of axes it also gives `axes`, [n, values + 1].
            hierarchy: Of the labels.
            weights: Of the levels.
            axes: Of signed strength, in half points of -2 to 2.
            weight: Of all parts together.
        """
        super().__init__()
        self.model, self.weights = model, weights
        self.axes, self.weight = axes, weight
        apart = torch.from_numpy(unrelated_values(hierarchy)).float()
        self.register_buffer("shared", torch.from_numpy(hierarchy.shared), persistent=False)
        self.register_buffer("value_of", torch.from_numpy(hierarchy.value_of), persistent=False)
        self.register_buffer("unrelated", apart, persistent=False)

    def forward(self, features: list[dict[str, Tensor]], labels: Tensor) -> dict[str, Tensor]:
        """Loss by part.

        Args:
            features: One entry, the tokenised texts.
            labels: Leaf, direction and strength per text, [n, 3].
        """
        output = self.model(features[0])
        # Mixed precision is for the encoder: similarities over a temperature need all digits.
        with torch.autocast(output["sentence_embedding"].device.type, enabled=False):
            parts = self._parts(output, *labels.T)
        return {name: self.weight * loss for name, loss in parts.items()}

    def _parts(
        self, output: dict[str, Tensor], leaf: Tensor, direction: Tensor, strength: Tensor
    ) -> dict[str, Tensor]:
        vectors = nn.functional.normalize(output["sentence_embedding"].float(), dim=1)
        shared = self.shared[leaf][:, leaf]
        levels = [one.mean() for one in level_losses(vectors, shared, direction, self.weights)]
        parts = {
            f"level_{number}": weight * loss
            for number, (weight, loss) in enumerate(
                zip(self.weights.levels, levels, strict=True), 1
            )
        }
        # The finer loss is held fixed: the bound moves the coarser level and stops nobody.
        hinges = [torch.relu(coarse - fine.detach()) for coarse, fine in pairwise(levels)]
        parts["bound"] = self.weights.bound * torch.stack(hinges).sum()
        if self.axes.own:
            value = self.value_of[leaf]
            wanted = direction * strength / 2
            apart = self.unrelated[value]
            error = axes_error(output["axes"].float(), value, wanted, apart, self.axes.elsewhere)
            parts["axes"] = self.axes.own * error
        return parts


class AxesLoss(nn.Module):
    """The strength of texts on a value's axis: statements that name it, answers that were rated."""

    unrelated: Tensor

    def __init__(
        self, model: nn.Module, hierarchy: Hierarchy, part: str, axes: AxesWeights, weight: float
    ) -> None:
        """Prepare the loss.

        Args:
            model: Gives `axes`, [n, values + 1].
            hierarchy: Of the values.
            part: The loss's name.
            axes: Weights of the axes.
            weight: Of the whole.
        """
        super().__init__()
        self.model, self.part, self.axes, self.weight = model, part, axes, weight
        apart = torch.from_numpy(unrelated_values(hierarchy)).float()
        self.register_buffer("unrelated", apart, persistent=False)

    def forward(self, features: list[dict[str, Tensor]], labels: Tensor) -> dict[str, Tensor]:
        """The loss.

        Args:
            features: One entry, the tokenised texts.
            labels: The value's position, what the text should read on it, and whether the value
                is what the text is about (1 or 0: what else it is about is then not known), [n, 3].
        """
        axes = self.model(features[0])["axes"].float()
        position, home = labels[:, 0].long(), labels[:, 2:].float()
        apart = self.unrelated[position] * home
        error = axes_error(axes, position, labels[:, 1].float(), apart, self.axes.elsewhere)
        return {self.part: self.axes.own * self.weight * error}


def gradient_shares(
    vectors: Tensor, shared: Tensor, directions: Tensor, weights: HierarchyWeights
) -> list[float]:
    """Share of each level in the sum of gradient norms with respect to the vectors."""
    leaves = vectors.detach().requires_grad_()
    norms = [
        torch.autograd.grad(weight * loss.mean(), leaves, retain_graph=True)[0].norm().item()
        for weight, loss in zip(
            weights.levels, level_losses(leaves, shared, directions, weights), strict=True
        )
    ]
    return [norm / sum(norms) for norm in norms]
