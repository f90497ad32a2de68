"""ValueFlow in lm-evaluation-harness. Importing this package registers model and filter."""

from ._filter import AnchorIntensity
from ._models import ControlLM
from ._tasks import ProfileTask, SteerTask

__all__ = ["AnchorIntensity", "ControlLM", "ProfileTask", "SteerTask"]
