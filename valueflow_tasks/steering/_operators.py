"""What is done to the residual stream of one layer.

With x the residual stream at one token, v a unit direction, c the coefficient and s what one
unit of it is long (the layer's residual norm for unit "residual", 1 for "raw"):

* add:      x' = x + c s v
* project:  x' = x - (x·v) v + c s v, so that x'·v = c s: the component is *set*
* ablate:   x' = x - c (x·v) v, with c from 0 (nothing) to 1 (the component is gone)
* rotate:   x' = |x| (cos(φ') v + sin(φ') e), with φ the angle between x and v, e the unit vector
  of x's part at right angles to v, and φ' = φ - c kept within [0, π]: x turns by c radians
  toward v (away from it for c < 0), keeps its norm, and never turns past v or -v

Several vectors of one layer act in the order in which they were given; for `add` the order makes
no difference. `ablate` and `rotate` have no length, so the unit does not enter. `project` has no
zero: c = 0 sets the component to 0, and only None leaves a row alone.

All but `add` compute in at least float32. A token that is not steered keeps its bits.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ._words import Operator


def ablate(x: Tensor, v: Tensor, amount: Tensor) -> Tensor:
    """Take a share of the component along v away; x [batch, tokens, d], amount [batch, 1, 1]."""
    return x - amount * (x @ v).unsqueeze(-1) * v


def project(x: Tensor, v: Tensor, amount: Tensor) -> Tensor:
    """Set the component along v; x [batch, tokens, d], amount [batch, 1, 1] a length."""
    return x + (amount - (x @ v).unsqueeze(-1)) * v


def rotate(x: Tensor, v: Tensor, amount: Tensor) -> Tensor:
    """Turn x toward v, keeping its norm; x [batch, tokens, d], amount [batch, 1, 1] radians."""
    norm = x.norm(dim=-1, keepdim=True)
    along = (x @ v).unsqueeze(-1)
    across = x - along * v
    breadth = across.norm(dim=-1, keepdim=True)
    # atan2 keeps its precision near 0 and π, where the arc cosine has none.
    angle = (torch.atan2(breadth, along) - amount).clamp(0.0, torch.pi)
    turned = norm * (torch.cos(angle) * v + torch.sin(angle) * across / breadth)
    # Parallel to v there is no plane to turn in, and zero has no direction.
    return torch.where(breadth > 0, turned, x)


_BY_NAME: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "ablate": ablate,
    "project": project,
    "rotate": rotate,
}


class LayerEdit:
    """The steering of one layer: all its vectors, with an amount for each row."""

    def __init__(
        self, directions: Tensor, amounts: Tensor, active: Tensor, operator: Operator
    ) -> None:
        """Keep what the layer needs.

        Args:
            directions: unit vectors, float32, [vectors, d_model].
            amounts: lengths, shares or angles, float32, [rows, vectors].
            active: where a vector acts on a row, [rows, vectors].
            operator: what is done.
        """
        self.directions = directions
        self.amounts = amounts.where(active, torch.zeros_like(amounts))
        self.active = active
        self.operator = operator
        self._deltas: dict[tuple[torch.device, torch.dtype, int], Tensor] = {}
        self._moved: dict[tuple[torch.device, torch.dtype, int], tuple[Tensor, Tensor, Tensor]] = {}

    def __call__(self, x: Tensor, tokens: Tensor | None, repeat: int) -> Tensor:
        """The steered residual stream, a new tensor.

        Args:
            x: residual stream, [batch, tokens, d_model].
            tokens: which tokens are steered, [batch, tokens]; None: all.
            repeat: how many rows of the batch stem from one row of coefficients.
        """
        if self.operator == "add":
            return self._add(x, tokens, repeat)
        # Wider than half precision and back is exact, so what is not steered keeps its bits.
        steered = x.to(torch.promote_types(x.dtype, torch.float32))
        directions, amounts, active = self._on(x.device, steered.dtype, repeat)
        act = _BY_NAME[self.operator]
        for index, v in enumerate(directions):
            here = active[:, index, None, None]
            if tokens is not None:
                here = here & tokens.unsqueeze(-1)
            changed = act(steered, v, amounts[:, index, None, None])
            steered = torch.where(here, changed, steered)
        return steered.to(x.dtype)

    def _add(self, x: Tensor, tokens: Tensor | None, repeat: int) -> Tensor:
        key = (x.device, x.dtype, repeat)
        delta = self._deltas.get(key)
        if delta is None:
            # Summed once, in float32: each forward pass then costs one addition. A row of
            # zeros adds exactly 0, which leaves every bit of x that matters as it is.
            with torch.inference_mode(False):
                summed = (self.amounts @ self.directions).repeat_interleave(repeat, dim=0)
                delta = self._deltas[key] = summed.to(x.device, x.dtype).unsqueeze(1)
        if tokens is None:
            return x + delta
        return x + torch.where(tokens.unsqueeze(-1), delta, torch.zeros_like(delta))

    def _on(
        self, device: torch.device, dtype: torch.dtype, repeat: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        key = (device, dtype, repeat)
        if key not in self._moved:
            # Kept for later passes, which may want gradients even if this one does not.
            with torch.inference_mode(False):
                self._moved[key] = (
                    self.directions.to(device, dtype),
                    self.amounts.repeat_interleave(repeat, dim=0).to(device, dtype),
                    self.active.repeat_interleave(repeat, dim=0).to(device),
                )
        return self._moved[key]
