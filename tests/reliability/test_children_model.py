"""Explores the model of a parent and its children, and shows that it detects what would break it."""

import pytest

from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.job import Job
from domain.jobs.transitions import Known
from tests.reliability.children_model import Bounds, explore
from tests.reliability.families import OF_FAMILIES
from tests.reliability.model import Violation


@pytest.mark.parametrize("bounds", OF_FAMILIES)
def test_a_parent_wakes_when_its_children_have_ended_and_once(bounds: Bounds) -> None:
    explored = explore(bounds)
    assert explored.worlds > 300
    assert explored.told > 0
    assert {"waiting", "succeeded", "running", "queued"} <= set(explored.ended)
    assert not bounds.cancels or "cancelled" in explored.ended


def test_the_model_detects_an_end_that_a_pause_does_not_see(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = transitions.pause

    def deaf(job: Job, policy: object, pause: object, _known: object, now: object) -> object:
        return honest(job, policy, pause, Known(signals=job.signals), now)  # type: ignore[arg-type]

    monkeypatch.setattr(transitions, "pause", deaf)
    with pytest.raises(Violation, match="C4"):
        explore(Bounds(crashes=0, lost=0, ticks=1))


def test_the_model_detects_an_end_that_does_not_wake(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = transitions.children_ended

    def silent(job: Job, policy: object, group: object, _round: object, now: object) -> object:
        return honest(job, policy, group, 7, now)  # type: ignore[arg-type]

    monkeypatch.setattr(transitions, "children_ended", silent)
    with pytest.raises(Violation, match="C4"):
        explore(Bounds(crashes=0, lost=0, ticks=1))


def test_the_model_detects_a_final_parent_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    honest, signal = transitions.children_ended, transitions.signal

    def eager(job: Job, policy: object, group: object, round: object, now: object) -> object:
        told = honest(job, policy, group, round, now)  # type: ignore[arg-type]
        if isinstance(told, Change):
            return told
        moved = signal(job.model_copy(update={"state": job.state}), policy, "x", now)  # type: ignore[arg-type]
        return moved if isinstance(moved, Change) else Change(job.model_copy(update={"version": job.version + 1}))

    monkeypatch.setattr(transitions, "children_ended", eager)
    with pytest.raises(Violation, match="I2"):
        explore(Bounds(recorders=1, crashes=0, lost=0, cancels=1, ticks=1))
