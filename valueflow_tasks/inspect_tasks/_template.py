"""Whether a model's answers are asked for through a chat template."""

from __future__ import annotations

from inspect_ai.model import Model

from ._model import ControlAPI


def templated(model: Model) -> bool:
    """Whether Inspect asks this model through a chat template.

    A local API keeps its tokenizer and templates where that has a template, unless it is told
    not to. Behind a remote API the server templates.
    """
    api = model.api
    if isinstance(api, ControlAPI) or model.model_args.get("use_chat_template") is False:
        return False
    if isinstance(getattr(api, "chat_template", None), str):
        return True  # `hf` with a template of the user's own
    return bool(getattr(getattr(api, "tokenizer", None), "chat_template", True))
