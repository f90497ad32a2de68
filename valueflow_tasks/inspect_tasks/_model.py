"""The model API `valueflow/…`."""

from __future__ import annotations

from typing import Any

from inspect_ai.model import (
    ChatMessage,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo
from valueflow_scorers import ValueFlowError
from valueflow_scorers._errors import unknown

from ..controls import check_mode, control_answer
from ._mistakes import told_in_words


class ControlAPI(ModelAPI):
    """A model that is known truth: `--model valueflow/control -M mode=oracle`."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig | None = None,
        mode: str = "oracle",
    ) -> None:
        """Choose a mode.

        The mode goes into `base_url` because that is what Inspect's cache key holds;
        arguments of the model are not.

        Raises:
            ValueFlowError: for another model name than `control`, or an unknown mode.
        """
        if model_name != "control":
            raise unknown("ValueFlow model", model_name, ["control", "hf/<model>"])
        self.mode = check_mode(mode)
        super().__init__(
            model_name, f"valueflow:{self.mode}", api_key, [], config or GenerateConfig()
        )

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """Answer as the mode says."""
        prompt = "\n\n".join(message.text for message in input)
        output = ModelOutput.from_content(
            f"valueflow/control-{self.mode}", control_answer(prompt, self.mode)
        )
        # Without a usage Inspect counts tokens, and fetches a tokenizer to do so.
        output.usage = ModelUsage()
        return output


class ValueFlowAPI(ModelAPI):
    """The provider's front door: the model's name says which of its APIs is meant."""

    @told_in_words()
    def __new__(cls, model_name: str, *args: Any, **kwargs: Any) -> ModelAPI:  # type: ignore[misc]
        """An API of another class, which Python then does not initialise a second time.

        Raises:
            ValueFlowError: as the API, and where a package is missing that it needs.
        """
        if not model_name.startswith("hf/"):
            return ControlAPI(model_name, *args, **kwargs)
        from ._hf import SteeredAPI

        try:
            return SteeredAPI(model_name, *args, **kwargs)
        except ModuleNotFoundError as error:
            raise ValueFlowError(
                f"valueflow/hf needs {error.name}: pip install 'valueflow-tasks[hf]'"
            ) from None


@modelapi(name="valueflow")
def valueflow() -> type[ModelAPI]:
    """Provider `valueflow`: `valueflow/control` and `valueflow/hf/<model>`."""
    return ValueFlowAPI
