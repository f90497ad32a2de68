"""Everything that is submitted, before it takes the form that a place wants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from valueflow_scorers import JudgeProfile

from .. import __version__
from ..analysis import Run
from ..prompts import LEVELS, USER_TURN
from ..settings import Settings
from ._facts import Facts
from ._systems import System

RECORD = "submission.json"
RECORD_VERSION = 2
HOMEPAGE = "https://arxiv.org/abs/2602.03160"
"""The paper that the benchmark comes from."""
SUMMARY = (
    "How far a language model's answers to open questions can be steered toward and away from "
    "values of four theories, measured among texts of known intensity."
)


@dataclass(frozen=True)
class Submission:
    """Systems measured under one protocol, and what is known beside their logs."""

    systems: tuple[System, ...]
    """What is ranked."""
    profile: JudgeProfile
    """The judge's measured errors."""
    facts: Facts
    """What no log holds."""
    formats: tuple[str, ...]
    """The forms it is written in."""
    drafts: tuple[str, ...]
    """Why it is not to be published as it is; empty: it is."""
    made: int
    """When it was made, seconds since 1970."""
    package: str = __version__
    """Version of this package that wrote it."""

    @property
    def draft(self) -> bool:
        """Whether something is missing or nothing real was measured."""
        return bool(self.drafts)

    @property
    def run(self) -> Run:
        """Any of the runs: what they share can be read from it."""
        return self.systems[0].runs[0]

    @property
    def settings(self) -> Settings:
        """The knobs of the measurement; values and steering are the systems' own."""
        assert self.run.settings is not None
        return self.run.settings

    @property
    def judge(self) -> str:
        """The judge's name."""
        return self.run.judge or ""

    def judge_facts(self) -> dict[str, Any]:
        """The judge and its measured errors, without what is particular to panels."""
        return {"name": self.judge, "profile": self.profile.fingerprint, **brief(self.profile)}

    def knobs(self) -> dict[str, Any]:
        """What makes results comparable, apart from values, panels and judge.

        All of it is in the protocol's fingerprint but the levels, which are the same for all.
        """
        own = self.settings
        return {
            "queries": own.queries,
            "levels": list(LEVELS),
            "k": own.k,
            "m": own.m,
            "design": own.design,
            "seed": own.seed,
            "layout": own.layout,
            "target_stderr": own.target_stderr,
            "user_turn": USER_TURN,
            "chat_template": self.run.chat_template,
            "generation": dict(self.run.generation),
        }

    def told(self, system: System) -> dict[str, str]:
        """How a system was measured, as short texts."""
        versions = system.versions().items()
        return {
            "protocol": system.headline.protocol,
            "steering_method": system.method,
            "steering_fingerprint": system.fingerprint,
            "judge": self.judge,
            "judge_profile": f"{self.profile.fingerprint} (tau {self.profile.tau:g}, "
            f"omega {self.profile.omega:.4f} points)",
            "versions": ", ".join(f"{name} {version}" for name, version in versions),
            "command": "\n".join(system.commands()),
            **({"draft": "; ".join(self.drafts)} if self.draft else {}),
        }

    def to_dict(self) -> dict[str, Any]:
        """The record: JSON-serialisable content."""
        return {
            "version": RECORD_VERSION,
            "draft": list(self.drafts),
            "made": self.made,
            "package": self.package,
            "formats": list(self.formats),
            "judge": self.judge_facts(),
            "settings": self.knobs(),
            "facts": self.facts.to_dict(),
            "systems": [one.to_dict() for one in self.systems],
        }


def brief(profile: JudgeProfile) -> dict[str, Any]:
    """A profile without its panels."""
    content: Mapping[str, Any] = profile.to_dict()
    return {key: value for key, value in content.items() if key not in ("panels", "judge")}
