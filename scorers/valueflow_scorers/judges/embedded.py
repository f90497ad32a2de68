"""A judge without a language model: a small encoder, its axes, and ridge regression on the anchors.

HiVES-mini embeds the answer, without its question, which moved readings more than it helped; it
learned on texts outside every panel how strongly a text supports or opposes a value, and reads
that on the value's axis. What that reading misses is regressed on the embedding over the anchors
of all panels: one direction shared by all values and one of the value's own (kernel
``x.x' (1 + [same value])``), so that values and encoders without axes are read too. What an anchor
teaches about itself is left out by the closed form of leave-one-out predictions, which is exact
because no anchor trained the encoder. How left-out predictions go with the labels (`_clarity`)
turns a prediction into a reading, unshrunk, with its sd and the doubt that it says anything.
It is weak, free, fast, deterministic and offline, and says how weak it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .._panels import load_panel, panel_values
from .._records import Anchor, FloatArray, Judgement, Panel, Response, Window, words_key
from ._clarity import Clarity
from .encoder import Axes, Encoder, HivesMini, mini_weights, shipped_embeddings

METHOD_VERSION = "hives-mini-4"
_RIDGE = 30.0  # of 3, 10, 30 and 100 the least leave-one-out error on the anchors


@dataclass(frozen=True)
class _Line:
    """What a value's readings are linear in."""

    weight: FloatArray
    """Of the embedding: the value's axis and the regression's weights, [d]."""
    offset: float
    """The axis's own."""

    def predict(self, vectors: FloatArray) -> FloatArray:
        """Predictions, [..., d] -> [...]."""
        return np.asarray(vectors @ self.weight + self.offset)


@dataclass(frozen=True)
class _Fitted:
    """The regression, in primal form."""

    lines: Mapping[str, _Line]
    """By value."""
    left_out: Mapping[tuple[str, str], float]
    """Leave-one-out prediction per (value, anchor text)."""
    clarity: Clarity
    """How predictions become readings."""


class EmbeddedJudge:
    """Reads a response's intensity from its embedding; takes no part in windows."""

    name = "embedded"
    prompt_version = METHOD_VERSION

    def __init__(self, panels: Sequence[Panel] = (), encoder: Encoder | None = None) -> None:
        """Prepare the judge; nothing is loaded until it is asked.

        Args:
            panels: Panels that do not ship, to be learned from as well.
            encoder: Another encoder than the default; then nothing that ships is used.
        """
        own = {panel.value for panel in panels}
        shipped = [load_panel(value) for value in panel_values() if value not in own]
        self._panels = [*shipped, *panels]
        self._encoder: Encoder = encoder or HivesMini()
        self._known: dict[str, FloatArray] = {}
        self._axes: Axes | None = None
        if encoder is None:
            self._known.update(shipped_embeddings())
            self._axes = mini_weights().axes
        self._fitted: _Fitted | None = None

    @property
    def reads(self) -> str:
        """How much of a text, in words."""
        most = mini_weights().max_tokens
        return f"the first {most} tokens, about {most * 3 // 4} words"

    def cuts(self, texts: Sequence[str]) -> list[bool]:
        """Which texts are longer than what the encoder reads; another one than ours tells none."""
        # Panel texts are short, and their embeddings ship: no encoder is loaded to count them.
        fresh = [one for one in dict.fromkeys(texts) if words_key(one) not in shipped_embeddings()]
        if not fresh or not isinstance(self._encoder, HivesMini):
            return [False] * len(texts)
        cut = dict(zip(fresh, self._encoder.cuts(fresh), strict=True))
        return [cut.get(text, False) for text in texts]

    async def judge(self, windows: Sequence[Window]) -> Sequence[Judgement]:
        """A reading of each window's response; its anchors are not looked at."""
        if self._fitted is None:
            self._fitted = self._fit()
        self._embed([
            window.items[window.response_index].text
            for window in windows
            if window.response_index is not None
        ])  # fmt: skip
        return [self._read(self._fitted, window) for window in windows]

    def _read(self, fitted: _Fitted, window: Window) -> Judgement:
        if window.response_index is None:
            return Judgement(failure="reads responses only")
        if window.value not in fitted.lines:
            return Judgement(failure="value without a panel")
        item: Anchor | Response = window.items[window.response_index]
        prediction = fitted.left_out.get((window.value, item.text))
        if prediction is None:
            vector = self._known[words_key(item.text)]
            prediction = float(fitted.lines[window.value].predict(vector))
        return fitted.clarity.judgement(prediction)

    def _embed(self, texts: Sequence[str]) -> None:
        missing = [text for text in dict.fromkeys(texts) if words_key(text) not in self._known]
        if missing:
            vectors = self._encoder.encode(missing)
            keys = [words_key(text) for text in missing]
            self._known.update(zip(keys, vectors, strict=True))

    def _fit(self) -> _Fitted:
        taught = [(panel.value, anchor) for panel in self._panels for anchor in panel.anchors]
        self._embed([anchor.text for _, anchor in taught])
        values = np.array([value for value, _ in taught])
        labels = np.array([anchor.intensity for _, anchor in taught])
        rows = np.stack([self._known[words_key(anchor.text)] for _, anchor in taught])
        axes = {value: self._axis(value, rows.shape[1]) for value in dict.fromkeys(values)}
        read = np.array([axes[v].predict(row) for v, row in zip(values, rows, strict=True)])
        kernel = (rows @ rows.T) * (1.0 + (values[:, None] == values[None, :]))
        inverse = np.linalg.inv(kernel + _RIDGE * np.eye(len(labels)))
        weights = inverse @ (labels - read)
        left_out = labels - weights / np.diag(inverse)
        shared = weights @ rows
        lines = {
            value: _Line(
                axis.weight + shared + weights[values == value] @ rows[values == value],
                axis.offset,
            )
            for value, axis in axes.items()
        }
        return _Fitted(
            lines,
            {
                (value, anchor.text): float(one)
                for (value, anchor), one in zip(taught, left_out, strict=True)
            },
            Clarity.fit(left_out, labels),
        )

    def _axis(self, value: str, width: int) -> _Line:
        """What the encoder learned to read of a value; nothing where it has no axes."""
        if self._axes is None:
            return _Line(np.zeros(width), 0.0)
        return _Line(*self._axes.of(value))
