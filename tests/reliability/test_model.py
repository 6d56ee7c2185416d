"""Explores the model of one job within small bounds; `make reliability` explores larger ones."""

import pytest

from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.job import Job, Running
from domain.jobs.transitions import Known
from tests.reliability.model import Bounds, Violation, explore

SMALL = Bounds(workers=1, sweepers=1, deliveries=2, ticks=3, manual_retries=1, cancels=0)


@pytest.mark.parametrize(
    "bounds",
    [
        SMALL,
        Bounds(workers=2, sweepers=1, deliveries=2, ticks=2, manual_retries=0),
        Bounds(workers=1, sweepers=2, deliveries=2, ticks=3, cancels=0, manual_retries=0),
        Bounds(workers=2, sweepers=1, deliveries=2, ticks=3, cancels=0, manual_retries=0, scheduled=True),
        Bounds(workers=1, sweepers=1, deliveries=3, ticks=1, cancels=0, manual_retries=0, pauses=2, signals=1),
        Bounds(workers=2, sweepers=1, deliveries=2, ticks=1, cancels=0, manual_retries=0, pauses=1, signals=1, lost=0),
    ],
)
def test_no_path_through_the_model_breaks_an_invariant(bounds: Bounds) -> None:
    explored = explore(bounds)
    assert explored.worlds > 1000
    assert not bounds.pauses or "waiting" in explored.ended
    assert {"scheduled" if bounds.scheduled else "queued", "running", "retrying", "succeeded", "failed"} <= set(
        explored.ended
    )


def test_the_model_detects_an_outcome_that_is_not_fenced(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = transitions.finish

    def unfenced(job: Job, *rest: object) -> object:
        policy, _, *others = rest
        token = job.state.lease.token if isinstance(job.state, Running) else ""
        return honest(job, policy, token, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(transitions, "finish", unfenced)
    with pytest.raises(Violation, match="I4"):
        explore(Bounds(workers=2, sweepers=1, deliveries=2, ticks=2, cancels=0, manual_retries=0))


def test_the_model_detects_a_signal_that_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = transitions.pause

    def deaf(job: Job, policy: object, pause: object, _known: object, now: object) -> object:
        return honest(job, policy, pause, Known(signals=job.signals), now)  # type: ignore[arg-type]

    monkeypatch.setattr(transitions, "pause", deaf)
    with pytest.raises(Violation, match="I9"):
        explore(Bounds(workers=1, sweepers=1, deliveries=2, ticks=1, cancels=0, manual_retries=0, pauses=1, signals=1))


def test_the_model_detects_a_job_that_no_query_would_find(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = transitions.claim

    def forgetful(job: Job, *rest: object) -> object:
        claimed = honest(job, *rest)  # type: ignore[arg-type]
        return Change(claimed.job.model_copy(update={"wake_at": None})) if isinstance(claimed, Change) else claimed

    monkeypatch.setattr(transitions, "claim", forgetful)
    with pytest.raises(Violation, match="I1"):
        explore(SMALL)
