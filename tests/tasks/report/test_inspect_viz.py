"""inspect_viz, the harness's own plotting package, takes our logs as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_viz")


def test_views_work_on_our_logs(logs: Path) -> None:
    from inspect_ai.analysis import EvalInfo, EvalModel, EvalResults, EvalScores, EvalTask, evals_df
    from inspect_viz import Data
    from inspect_viz.view import scores_by_model, scores_by_task, scores_heatmap

    columns = [*EvalInfo, *EvalTask, *EvalModel, *EvalResults, *EvalScores]
    frame = evals_df(str(logs), columns=columns, quiet=True)
    assert len(frame) == 4
    # The shifts of a model that does not move have no additivity, and nothing stands in for it.
    (unknown,) = frame[frame["score_headline_value"].isna()]["task_name"]
    assert "compose" in unknown
    frame["model_display_name"] = [str(one) for one in frame["model_args"]]
    steered = frame[frame["task_name"].str.contains("steer")]
    assert steered["score_headline_stderr"].notna().all()
    assert steered["score_headline_metric"].unique().tolist() == ["steerability"]
    data = Data.from_dataframe(steered)
    for view in (
        scores_by_model(data),
        scores_by_task(Data.from_dataframe(frame), model_name="model_display_name"),
        scores_heatmap(data),
    ):
        assert view is not None


def test_cell_means_are_a_heat_map(runs: Any) -> None:
    from inspect_viz import Data
    from inspect_viz.view import heatmap

    from valueflow_tasks.analysis import cells

    plain = cells(runs).query("level == 0")
    data = Data.from_dataframe(plain[["model", "value", "mean"]])
    assert heatmap(data, x_value="value", y_value="model", color_value="mean") is not None
