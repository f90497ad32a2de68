"""Names tell models apart, commands repeat runs, and neither tells a secret."""

from __future__ import annotations

from typing import Any

import pytest

from valueflow_tasks.analysis._commands import inspect_command, lm_eval_command
from valueflow_tasks.analysis._names import model_name
from valueflow_tasks.analysis._public import public
from valueflow_tasks.settings import Settings


@pytest.mark.parametrize(
    ("model", "arguments", "name"),
    [
        ("hf", {"pretrained": "org/model"}, "org/model"),
        ("hf", {"pretrained": "org/model", "revision": "main", "load_in_8bit": "False"},
         "org/model"),
        ("hf", {"revision": "step1000", "pretrained": "org/model"}, "org/model@step1000"),
        ("hf", {"peft": "org/adapter", "revision": "step1000", "pretrained": "org/model"},
         "org/model@step1000+peft=org/adapter"),
        ("hf", {"load_in_4bit": True, "subfolder": "x", "delta": "d", "pretrained": "m"},
         "m+subfolder=x+delta=d+load_in_4bit=True"),
        ("valueflow/hf/org/model", {"revision": "step1"}, "org/model@step1"),
        ("hf/local", {"model_path": "checkpoints/7"}, "checkpoints/7"),
        ("valueflow/control", {"mode": "inert"}, "valueflow-control-inert"),
        ("openai/gpt-4o", {"timeout": 5}, "openai/gpt-4o"),
    ],
)  # fmt: skip
def test_what_makes_another_model_is_in_its_name(
    model: str, arguments: dict[str, Any], name: str
) -> None:
    assert model_name(model, arguments) == name


def test_public_arguments_hold_no_secret_and_all_else() -> None:
    harmless = {"tokenizer": "gpt2", "add_bos_token": True, "pad_token_id": 3, "max_tokens": 9,
                "chat_template": False}  # fmt: skip
    given = {
        **harmless,
        "token": "hf_SECRET",
        "apiKey": "SECRET",
        "aws_access_key_id": "SECRET",
        "client": {"headers": [{"Authorization": "Bearer SECRET", "x": 1}]},
        "base_url": "https://me:SECRET@host/v1",
    }
    assert public(given) == {
        **harmless,
        "client": {"headers": [{"x": 1}]},
        "base_url": "https://host/v1",
    }


def test_a_command_of_lm_eval_has_all_that_moves_answers() -> None:
    command = lm_eval_command(
        "hf",
        {"pretrained": "gpt2"},
        "valueflow_compose",
        Settings(queries="core"),
        {"gen_kwargs": {"temperature": 0.7}, "limit": 5},
        metadata={"sets": "random", "size": 3},
        results={"chat_template": "{{x}}", "system_instruction": "Be brief."},
    )
    for part in (
        "--metadata queries=core sets=random size=3",
        "--apply_chat_template",
        "--system_instruction 'Be brief.'",
        "--gen_kwargs temperature=0.7",
        "--limit 5",
    ):
        assert part in command


def test_a_command_of_inspect_has_all_that_moves_answers() -> None:
    command = inspect_command(
        "openai/gpt-4o",
        {},
        "valueflow_tasks/valueflow_steer",
        {"values": ["mft/care"]},
        generation={"temperature": 0.7, "max_tokens": 160, "stop_seqs": ["x"]},
        epochs=2,
        limit=None,
    )
    assert command == (
        "inspect eval valueflow_tasks/valueflow_steer -T 'values=[mft/care]' --model openai/gpt-4o "
        "--temperature 0.7 --epochs 2"
    )
