"""ValueFlow in Inspect: tasks, scorer, metrics and control model."""

from ._model import valueflow
from ._scorer import anchor_intensity, profile, steering
from ._tasks import valueflow_profile, valueflow_steer

__all__ = [
    "anchor_intensity",
    "profile",
    "steering",
    "valueflow",
    "valueflow_profile",
    "valueflow_steer",
]
