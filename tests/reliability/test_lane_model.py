"""Explores the model of a lane within small bounds."""

import pytest

from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.job import Job
from domain.lanes import lane as lanes
from tests.reliability import lane_model
from tests.reliability.families import IN_LANES
from tests.reliability.lane_model import Bounds, explore
from tests.reliability.model import Violation


@pytest.mark.parametrize("bounds", IN_LANES)
def test_no_path_breaks_an_invariant_of_the_lane(bounds: Bounds) -> None:
    assert explore(bounds) > 100


def test_the_model_detects_a_place_that_is_not_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = transitions.finish

    def forgetful(job: Job, *rest: object) -> object:
        finished = honest(job, *rest)  # type: ignore[arg-type]
        return Change(finished.job) if isinstance(finished, Change) else finished

    monkeypatch.setattr(transitions, "finish", forgetful)
    with pytest.raises(Violation, match="L1"):
        explore(Bounds())


def test_the_model_detects_a_claim_that_takes_whatever_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_free(lane: lanes.Lane, limit: int) -> tuple[int, ...]:
        return tuple(number for number in range(limit + 1) if number not in {each.number for each in lane.places})

    monkeypatch.setattr("domain.lanes.admission.free_numbers", all_free)
    with pytest.raises(Violation, match="L2"):
        explore(Bounds())


def test_the_model_detects_a_line_that_nobody_lets_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_model, "_let_go", lambda *_: None)
    with pytest.raises(Violation, match="L4"):
        explore(Bounds())
