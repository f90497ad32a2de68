"""Canonical JSON and its hash: what a fingerprint is made of."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from valueflow_scorers import ValueFlowError


def canonical_json(content: Any, what: str) -> str:
    """The one JSON text of a value: sorted keys, no spaces, UTF-8, no NaN.

    Args:
        content: anything JSON can hold.
        what: the name of the content, for the error.

    Raises:
        ValueFlowError: if JSON cannot hold the content.
    """
    try:
        return json.dumps(
            content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
        )
    except (TypeError, ValueError) as error:
        raise ValueFlowError(
            f"{what} must be JSON (text, finite numbers, booleans, lists, objects): {error}"
        ) from error


def sha256(*parts: str | bytes) -> str:
    """SHA-256 of the parts, 64 hex digits; a boundary between parts is part of the hash."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()
