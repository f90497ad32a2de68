"""What Inspect finds through the entry point."""

from .inspect_tasks import (
    anchor_intensity,
    profile,
    steering,
    valueflow,
    valueflow_profile,
    valueflow_steer,
)

__all__ = [
    "anchor_intensity",
    "profile",
    "steering",
    "valueflow",
    "valueflow_profile",
    "valueflow_steer",
]
