"""What the columns of the tidy table say."""

from __future__ import annotations

from collections.abc import Mapping

COLUMNS: Mapping[str, str] = {
    "run": "id of the run, see `Runs.run`",
    "harness": "`lm-eval`, `inspect` or `score`",
    "task": "name of the task",
    "model": "the model without what steered it",
    "arm": "what the answer was steered toward: `0`, `svt/power:+2`, `mft/care:-1~svt/power:+2`",
    "target": "the value steered toward; empty at level 0 and for several targets",
    "targets": "all targets and levels, a mapping; empty at level 0",
    "level": "the level of `target`, 0 unsteered, NaN for several targets or an unnamed steering",
    "method": "`definition`, `exemplars`, `vector`; empty where nothing steered",
    "steering": "fingerprint of the spec that steered the answer; empty where nothing did",
    "value": "the value measured",
    "on_target": "whether the value measured is a target, or nothing steered",
    "asked": "level asked of the value measured: 0 unsteered, NaN off target",
    "query_id": "which query",
    "repeat": "how often the query was put before under the same steering (`--epochs`)",
    "query": "its text",
    "kind": "its kind",
    "intensity": "points on [-10, 10]; NaN where there is none",
    "stderr": "its standard error, points",
    "low": "lower end of its 90 % interval",
    "high": "upper end",
    "refused": "whether the answer is a refusal",
    "reason": "why there is no intensity; empty where there is one",
    "failures": "windows without a verdict, by reason, a mapping",
    "windows": "the judged windows as saved, a list",
    "response": "what the model wrote; None where the log does not say",
    "words": "its number of words; NaN where the log does not say",
    "distinct_2": "share of its word pairs that are different",
    "no_op": "1 where it is word for word the unsteered answer of its run, else 0; NaN: unknown",
    "loss": "its surprise to the unsteered model, nats per token; NaN: unknown",
    "protocol": "fingerprint of the run's protocol, as logged",
    "value_protocol": "fingerprint of the protocol for this value alone; comparable across tasks "
    "and harnesses",
    "setting": "fingerprint of the protocol without its values: rows of one setting are "
    "comparable, value by value",
    "judge": "the judge's name",
    "profile": "fingerprint of the judge's profile",
    "calibrated": "whether the judge was calibrated; None: unknown",
    "panel": "fingerprint of the panel",
}
"""Every column of `Runs.frame`, and what it says."""
