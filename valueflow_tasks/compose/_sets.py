"""Pairs of values that a theory calls similar or conflicting.

Schwartz et al. 2012: neighbours and opposites on the circle of values. Graham et al. 2013 and
Iyer et al. 2012: individualizing against binding foundations, liberty against authority. Ross
1930: duties that rest on what one has done, duties that rest on what good can be done, and his
own examples of their conflict (a promise against relief of distress, gratitude against justice).
Vasak 1977: rights of one generation, and rights of persons against rights of peoples.
"""

from __future__ import annotations

from collections.abc import Mapping

Pair = tuple[str, str]

SIMILAR: tuple[Pair, ...] = (
    ("svt/benevolence", "svt/universalism"),
    ("svt/achievement", "svt/power"),
    ("svt/self-direction", "svt/stimulation"),
    ("svt/stimulation", "svt/hedonism"),
    ("svt/conformity", "svt/tradition"),
    ("svt/security", "svt/face"),
    ("mft/care", "mft/fairness"),
    ("mft/loyalty", "mft/authority"),
    ("mft/authority", "mft/sanctity"),
    ("duties/fidelity", "duties/reparation"),
    ("duties/beneficence", "duties/non-maleficence"),
    ("duties/fidelity", "duties/gratitude"),
    ("rights/civil", "rights/political"),
    ("rights/economic", "rights/social"),
    ("rights/national-solidarity", "rights/social-group-solidarity"),
)
"""Values that a theory expects to be held together."""

CONFLICTING: tuple[Pair, ...] = (
    ("svt/benevolence", "svt/achievement"),
    ("svt/universalism", "svt/power"),
    ("svt/self-direction", "svt/conformity"),
    ("svt/stimulation", "svt/security"),
    ("svt/hedonism", "svt/tradition"),
    ("svt/humility", "svt/face"),
    ("mft/liberty", "mft/authority"),
    ("mft/fairness", "mft/loyalty"),
    ("mft/care", "mft/sanctity"),
    ("duties/fidelity", "duties/beneficence"),
    ("duties/gratitude", "duties/justice"),
    ("duties/self-improvement", "duties/beneficence"),
    ("rights/civil", "rights/national-solidarity"),
    ("rights/political", "rights/social-group-solidarity"),
    ("rights/economic", "rights/political"),
)
"""Values that a theory expects to pull apart."""

KINDS = ("similar", "conflicting")


def kind_of(targets: Mapping[str, float]) -> str:
    """`similar` or `conflicting` for targets on the pairs above; empty for any other set.

    Against one value and for its opposite go together: with levels of two signs a pair is of the
    other kind.
    """
    wanted = frozenset(targets)
    same = len({level > 0 for level in targets.values()}) == 1
    for kind, other, pairs in (
        ("similar", "conflicting", SIMILAR),
        ("conflicting", "similar", CONFLICTING),
    ):
        if any(wanted == frozenset(pair) for pair in pairs):
            return kind if same else other
    return ""
