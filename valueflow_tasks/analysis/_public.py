"""What of a log's arguments may be shown to others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+")
_SECRET = frozenset(
    {
        "access", "apikey", "auth", "authorization", "bearer", "cookie", "credential",
        "credentials", "key", "passphrase", "passwd", "password", "pwd", "secret", "secrets",
        "token",
    }
)  # fmt: skip
"""Words in the name of an argument that holds a secret."""
_OF_TOKENIZERS = frozenset(
    {"bos", "eos", "pad", "unk", "sep", "cls", "mask", "prefix", "image", "special", "index", "id"}
)
"""Words beside which `token` is a tokenizer's."""
_USER = re.compile(r"(?<=://)[^/@\s]+@")
"""A name or password in an address."""


def public(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments without secrets, however deep they lie, and without names in addresses."""
    return {
        str(name): _cleaned(value) for name, value in arguments.items() if not _secret(str(name))
    }


def _secret(name: str) -> bool:
    words = {word.lower() for word in _WORD.findall(name)}
    return bool((words - {"token"} if words & _OF_TOKENIZERS else words) & _SECRET)


def _cleaned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return public(value)
    if isinstance(value, list | tuple):
        return [_cleaned(one) for one in value]
    return _USER.sub("", value) if isinstance(value, str) else value
