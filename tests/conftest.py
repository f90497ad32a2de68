"""What all tests share: no network, one thread, small panels of known truth."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest
import pytest_socket
from valueflow_scorers import Anchor, Panel

with suppress(ImportError):
    import urllib3  # noqa: F401  (opens a socket at import, to see whether there is IPv6)

_blocked: list[str] = []


class _Recorded(pytest_socket.SocketBlockedError):
    """Remembers that it was raised: a test that tries the network fails even if it is caught."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _blocked.append(os.environ.get("PYTEST_CURRENT_TEST", "?"))
        super().__init__(*args, **kwargs)


pytest_socket.SocketBlockedError = _Recorded


def pytest_runtest_setup() -> None:
    """Nothing but Unix sockets, which event loops wake themselves with; torch on one thread."""
    pytest_socket.disable_socket(allow_unix_socket=True)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    """Fails a test that opened a socket and swallowed the refusal."""
    _blocked.clear()
    yield
    assert not _blocked, f"tried to reach the network: {_blocked}"


EVEN = tuple(-9.5 + 19 * i / 23 for i in range(24))
"""Intensities of 24 anchors, evenly spread."""
CHECKS = (-8.0, -4.0, 0.0, 4.0, 8.0, 2.0)
"""Intensities of six sentinels."""


@pytest.fixture(scope="session")
def make_panel() -> Callable[..., Panel]:
    """A synthetic panel; the same arguments give the same panel."""

    def make(
        value: str = "test/value",
        intensities: Sequence[float] = EVEN,
        stderr: float = 0.0,
        sentinels: Sequence[float] = (),
        **rest: Any,
    ) -> Panel:
        slug = value.replace("/", "-")

        def texts(kind: str, labels: Sequence[float]) -> tuple[Anchor, ...]:
            return tuple(
                Anchor(f"{slug} {kind} number {i}", label, f"q {i}?", stderr, f"{slug}-{kind}{i}")
                for i, label in enumerate(labels)
            )

        return Panel(
            value,
            texts("a", intensities),
            texts("s", sentinels),
            rest.pop("definition", f"what {value} means"),
            **rest,
        )

    return make
