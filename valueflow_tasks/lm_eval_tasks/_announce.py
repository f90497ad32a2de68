"""What the results file says about the measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from valueflow_scorers.metrics import MASS, Metric

from .. import __version__
from ..arms import Arm
from ..profiles._agreement import described
from ..settings import Settings


def asked(settings: Settings, arms: Sequence[Arm], chat_template: bool) -> dict[str, Any]:
    """Settings, arms and what steered them; known before anything is judged.

    Args:
        settings: How answers are measured.
        arms: Ways of steering.
        chat_template: Whether the harness applies the model's template.
    """
    return {
        "settings": settings.to_dict(),
        "chat_template": chat_template,
        **described(settings),
        "version": __version__,
        "arms": [{**arm.asked, "measure": list(arm.measure)} for arm in arms],
        "steering": {arm.id: arm.spec.to_dict() for arm in arms if arm.spec is not None},
    }


def judged(
    settings: Settings, values: Sequence[str], found: Mapping[str, Metric]
) -> dict[str, Any]:
    """Judge profile, links, and the intervals of metrics.

    Args:
        settings: How answers were measured.
        values: The values they were measured on.
        found: The metrics.
    """
    profile = settings.instrument().judge_profile
    return {
        "profile": profile.fingerprint,
        "calibrated": profile.calibrated,
        **settings.link_state(values),
        "intervals": {
            name: [round(end, 4) for end in interval]
            for name, metric in found.items()
            if (interval := metric.interval()) is not None
        },
        "interval_mass": MASS,
    }
