"""Steering specs: JSON and back, fingerprints, refusals."""

from __future__ import annotations

import json
import math

import pytest
from valueflow_scorers import ValueFlowError

from valueflow_tasks.steering import SteeringSpec, Target, VectorDose
from valueflow_tasks.steering._spec import Promise

POWER = Target("svt/power", 2)
CARE = Target("mft/care", -1)
DOSE = VectorDose("v/power.safetensors", "ab" * 32, 0.4)
MIXED = SteeringSpec(
    (POWER, CARE), "You strongly value power — é.", (DOSE,), scope="response", operator="rotate"
)


def test_a_spec_survives_json():
    for spec in (SteeringSpec(), MIXED, SteeringSpec((POWER,), vectors=(DOSE,))):
        assert SteeringSpec.from_dict(spec.to_dict()) == spec
        again = SteeringSpec.from_json(json.dumps(json.loads(spec.to_json()), indent=3))
        assert again == spec
        assert again.to_json() == spec.to_json()
        assert again.fingerprint == spec.fingerprint
    assert SteeringSpec.from_dict({}) == SteeringSpec()


def test_lists_are_as_good_as_tuples():
    assert SteeringSpec([POWER], "p").fingerprint == SteeringSpec((POWER,), "p").fingerprint
    assert hash(SteeringSpec([POWER], "p")) == hash(SteeringSpec((POWER,), "p"))


def test_what_is_unsteered():
    none = VectorDose("v", "ab", 0.0)
    unsteered = [
        SteeringSpec(),
        SteeringSpec((Target("svt/power", 0),)),
        SteeringSpec(vectors=(none,)),
        SteeringSpec(vectors=(VectorDose("v", "ab", -0.0),), operator="rotate", scope="prompt"),
    ]
    assert all(spec.is_unsteered for spec in unsteered)
    assert len({spec.fingerprint for spec in unsteered}) == 1
    steered = [
        SteeringSpec(prompt="p"),
        SteeringSpec(vectors=(none,), operator="project"),
        SteeringSpec((POWER,), "p"),
        MIXED,
    ]
    assert not any(spec.is_unsteered for spec in steered)
    assert len({spec.fingerprint for spec in (*unsteered[:1], *steered)}) == 5


def test_the_fingerprint_is_of_what_the_spec_does():
    base = SteeringSpec((POWER, CARE), "p", (DOSE,))
    assert len(base.fingerprint) == 64
    moved = VectorDose("elsewhere", DOSE.fingerprint, DOSE.coefficient)
    none = VectorDose("w", "cd" * 32, 0)
    same = [
        SteeringSpec((CARE, POWER), "p", (DOSE,)),
        SteeringSpec((POWER, CARE, Target("mft/loyalty", 0)), "p", (moved, none)),
    ]
    assert {spec.fingerprint for spec in same} == {base.fingerprint}
    assert (
        SteeringSpec((POWER,), "p", scope="prompt").fingerprint
        == SteeringSpec((POWER,), "p").fingerprint
    )
    others = [
        SteeringSpec((POWER,), "p", (DOSE,)),
        SteeringSpec((POWER, Target("mft/care", -2)), "p", (DOSE,)),
        SteeringSpec((POWER, CARE), "q", (DOSE,)),
        SteeringSpec((POWER, CARE), "p"),
        SteeringSpec((POWER, CARE), "p", (VectorDose("v", DOSE.fingerprint, 0.5),)),
        SteeringSpec((POWER, CARE), "p", (VectorDose("v", "cd" * 32, 0.4),)),
        SteeringSpec((POWER, CARE), "p", (DOSE,), unit="raw"),
        SteeringSpec((POWER, CARE), "p", (DOSE,), scope="prompt"),
        SteeringSpec((POWER, CARE), "p", (DOSE,), operator="ablate"),
    ]
    assert len({spec.fingerprint for spec in (base, *others)}) == len(others) + 1


def test_the_order_of_vectors_counts():
    other = VectorDose("w", "cd" * 32, 1.0)
    one = SteeringSpec(vectors=(DOSE, other), operator="project")
    assert one.fingerprint != SteeringSpec(vectors=(other, DOSE), operator="project").fingerprint


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Target("", 1), "id of a value"),
        (lambda: Target("svt/power", math.nan), "level of svt/power"),
        (lambda: Target("svt/power", "+2"), "level of svt/power"),
        (lambda: VectorDose("v", "ab", math.inf), "coefficient of v"),
        (lambda: SteeringSpec((POWER, Target("svt/power", 1)), "p"), "twice"),
        (lambda: SteeringSpec((POWER,)), "nothing would steer"),
        (lambda: SteeringSpec((POWER,), vectors=(VectorDose("v", "ab", 0),)), "nothing would"),
        (lambda: SteeringSpec((Target("svt/power", 0),), "p"), "level 0"),
        (lambda: SteeringSpec(scope="none"), "unknown scope"),
        (lambda: SteeringSpec.from_dict({"version": 2}), "version 2"),
        (lambda: SteeringSpec.from_dict({"levels": 1}), "has no levels; it has targets"),
        (lambda: SteeringSpec.from_dict({"targets": [{"name": "x"}]}), "value and level"),
        (lambda: SteeringSpec.from_dict([]), "JSON object"),
        (lambda: SteeringSpec.from_dict({"promises": [{"asked": 1}]}), "as a dial made them"),
        (lambda: SteeringSpec.from_json("{"), "must be JSON"),
        (lambda: SteeringSpec.from_json("[]"), "JSON object"),
    ],
)
def test_refusals_say_what_is_wrong(make, said):
    with pytest.raises(ValueFlowError, match=said):
        make()


def test_a_promise_is_kept_and_steers_nothing():
    promise = Promise("svt/power", 5.0, 4.9, 4.0, 5.8, 70, "embedded", "f" * 16)
    bare = SteeringSpec((POWER,), "p")
    told = SteeringSpec((POWER,), "p", promises=(promise,))
    assert told.fingerprint == bare.fingerprint
    assert SteeringSpec.from_json(told.to_json()) == told
    assert told.to_dict()["promises"][0]["low"] == 4.0
    assert "promises" not in bare.to_dict()


def test_vectors_are_loaded_and_checked(tmp_path, vector):
    v = vector(1)
    v.save(tmp_path / "v.safetensors")
    spec = SteeringSpec(vectors=(VectorDose("v.safetensors", v.fingerprint, 1.0),))
    assert spec.load_vectors(tmp_path) == [v]
    vector(2).save(tmp_path / "v.safetensors")
    with pytest.raises(ValueFlowError, match=v.fingerprint):
        spec.load_vectors(tmp_path)
    with pytest.raises(ValueFlowError, match="no steering vector at"):
        spec.load_vectors(tmp_path / "nowhere")
