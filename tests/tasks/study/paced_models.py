"""Models for tests in processes of their own: `paced/…` answers one call after the other.

A call leaves a line in the file that PACED_CALLS names, before it is answered.
"""

from __future__ import annotations

import os
from typing import Any

import anyio
from inspect_ai.model import GenerateConfig, ModelAPI, ModelOutput, ModelUsage, modelapi

_SECONDS = 0.15


class PacedAPI(ModelAPI):
    def __init__(self, model_name: str, *_: Any, **__: Any) -> None:
        super().__init__(model_name, None, None, [], GenerateConfig())
        self._turn: anyio.Lock | None = None

    async def generate(self, *_: Any, **__: Any) -> ModelOutput:
        self._turn = self._turn or anyio.Lock()
        async with self._turn:
            with open(os.environ["PACED_CALLS"], "a", encoding="utf-8") as calls:
                calls.write(f"{self.model_name}\n")
            await anyio.sleep(_SECONDS)
        output = ModelOutput.from_content(self.model_name, "I would help, others matter to me.")
        output.usage = ModelUsage(input_tokens=10, output_tokens=10, total_tokens=20)
        return output


@modelapi("paced")
def paced() -> type[ModelAPI]:
    return PacedAPI
