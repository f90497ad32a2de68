"""Every epoch is measured and enters the metrics."""

from __future__ import annotations

from valueflow_tasks.inspect_tasks import valueflow_profile, valueflow_steer

POWER = "svt/power"


def test_every_epoch_enters_the_metrics(quick, run_inspect, metrics, score_of):
    log = run_inspect(
        valueflow_profile(values=POWER, **quick),
        model="vfoffline/by-turns",  # the strongest text, then the weakest
        limit=1,
        epochs=2,
        max_connections=1,
        max_samples=1,
    )
    placed = [score_of(sample).value["svt_power"] for sample in log.samples]
    assert max(placed) > 5
    assert min(placed) < -5
    assert abs(metrics(log)["intensity_svt_power"]) < 3


def test_each_epoch_has_windows_of_its_own_and_the_first_is_that_of_a_single_run(
    quick, folder, steered, run, metrics, measured
):
    log = run(valueflow_steer(values=POWER, **quick), folder, limit=10, epochs=3)
    assert len(measured(log)) == len(log.samples) == 30
    assert {name: one for name, one in measured(log).items() if name in measured(steered)} == (
        measured(steered)
    )
    alone, repeated = metrics(steered), metrics(log)
    assert set(repeated) == set(alone)
    assert abs(repeated["gain"] - alone["gain"]) < 2 * alone["gain_stderr"]
    assert repeated["no_op_up"] == alone["no_op_up"]
