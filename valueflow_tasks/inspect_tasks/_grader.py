"""The model bound to the role `grader`, as the judge."""

from __future__ import annotations

from inspect_ai.model import Model, get_model, model_roles
from valueflow_scorers._records import fingerprint
from valueflow_scorers.judges.model import BOUND_MARK, bind_model

from ..prompts import telling
from ..settings import Settings

_SECRETS = ("api_key", "aws_")


def with_grader(settings: Settings) -> Settings:
    """The settings, judged by the model bound to the role `grader` if there is one.

    Only while Inspect builds or runs a task are roles known.
    """
    if "grader" not in model_roles():
        return settings
    model = get_model(role="grader", required=True)
    name = grader_name(model)
    bind_model(name, model)
    return Settings.parse({**settings.to_dict(), "judge": f"ranking:{name}"})


def grader_name(model: Model) -> str:
    """The model's name, followed by a hash of what it was bound with besides.

    Arguments and generation settings change what a model answers, so under them it is another
    judge: with judgements and a profile of its own.
    """
    arguments = {k: v for k, v in model.model_args.items() if not k.startswith(_SECRETS)}
    # Judges set the temperature themselves.
    config = telling(model.config.model_dump(mode="json", exclude={"temperature"}))
    if not arguments and not config:
        return str(model)
    told = fingerprint([{k: str(v) for k, v in sorted(arguments.items())}, config])
    return f"{model}{BOUND_MARK}{told[:8]}"
