"""The four theories: their hierarchies, definitions and steering sentences."""

from ._theory import (
    THEORIES,
    Node,
    Theory,
    evaluated_values,
    find_node,
    in_order,
    load_theory,
    register,
    resolve_values,
)

__all__ = [
    "THEORIES",
    "Node",
    "Theory",
    "evaluated_values",
    "find_node",
    "in_order",
    "load_theory",
    "register",
    "resolve_values",
]
