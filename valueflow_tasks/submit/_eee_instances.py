"""Every Eval Ever: the rows beside a result, one per answer and value."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from valueflow_scorers._measure import arm_id

from ..analysis import Answered, Run
from ._systems import RANKED, System, rounded

SCHEMA_VERSION = "0.3.0"


def instance_rows(
    system: System, model: str, evaluation: str, by_model: bool
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """One row per answer and value.

    Args:
        system: What was measured.
        model: Id of the model.
        evaluation: Id of the file that the rows belong to.
        by_model: Whether a language model judged.

    Returns:
        The rows, and how many answers have none, since a score is required: refused, unscored.
    """
    ids = {(one.scope, one.metric): one.id for one in system.scores}
    rows, seen, left_out = [], set(), {"refused": 0, "unscored": 0}
    for run in system.runs:
        for answer in run.answers:
            for value in answer.measure:
                key = (answer.query_id, answer.repeat, _arm(run, answer), value)
                if value not in system.values or key in seen:
                    continue
                seen.add(key)
                estimate = answer.estimates.get(value) or {}
                if not math.isfinite(estimate.get("intensity", math.nan)):
                    left_out["refused" if answer.refused else "unscored"] += 1
                    continue
                rows.append(
                    {
                        "schema_version": SCHEMA_VERSION,
                        "evaluation_id": evaluation,
                        "model_id": model,
                        "evaluation_name": f"valueflow {value}",
                        "evaluation_result_id": ids[value, RANKED[0]],
                        **_row(run, answer, estimate, value, by_model),
                    }
                )
    return rows, left_out


def _row(
    run: Run, answer: Answered, estimate: Mapping[str, Any], value: str, by_model: bool
) -> dict[str, Any]:
    intensity = rounded(estimate["intensity"])
    return {
        "sample_id": estimate.get("response_id") or answer.query_id,
        "sample_hash": hashlib.sha256(answer.query.encode()).hexdigest(),
        "interaction_type": "single_turn",
        "input": {"raw": answer.query, "reference": []},
        "output": {"raw": [answer.text or ""]},
        "messages": None,
        "answer_attribution": [
            {
                "turn_idx": 0,
                "source": "output.raw",
                "extracted_value": f"{intensity:g}",
                "extraction_method": "llm_judge" if by_model else "custom",
                "is_terminal": True,
            }
        ],
        # A score has no right and wrong; the field is required.
        "evaluation": {"score": intensity, "is_correct": False},
        "metadata": {
            "value": value,
            "steered_toward": _arm(run, answer),
            "kind": answer.kind,
            "score_is": "intensity on a scale of -10 to 10; is_correct has no meaning here",
            "estimate": json.dumps(estimate, ensure_ascii=False),
        },
    }


def _arm(run: Run, answer: Answered) -> str:
    whole = {} if run.spec is None else {t.value: t.level for t in run.spec.targets}
    return arm_id({**whole, **answer.targets})
