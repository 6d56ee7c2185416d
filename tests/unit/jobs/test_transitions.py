"""Every transition of a job, its conditions and its effects."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.job import (
    Cancelled,
    Failed,
    Frame,
    InLane,
    Job,
    Parent,
    Queued,
    Retrying,
    Running,
    Scheduled,
    Status,
    Succeeded,
    WaitFor,
    has_moved,
    is_final,
)
from domain.jobs.lifecycle import MOVES
from domain.jobs.outcomes import Done, Pause, Raised, TimedOut
from domain.jobs.transitions import (
    LEASE_GRACE,
    LONGEST_UNEXAMINED,
    MAX_HISTORY,
    RUNNER_PATIENCE,
    TRIGGER_PATIENCE,
    UNFINISHED_HORIZON,
    IllegalTransition,
    Known,
)
from domain.lanes.admission import Free, InLine, Start
from domain.lanes.lane import Lane, next_slot
from headrace.authoring.job_type import Policy
from headrace.authoring.json_text import JsonText
from headrace.authoring.outcomes import Fail, Retry, Stopped
from headrace.authoring.rate import Rate
from headrace.authoring.retry import Backoff
from tests.factories import (
    NOW,
    POLICY,
    TOKEN,
    asked_to_stop,
    blocked,
    cancelled,
    claimed,
    failed,
    finished,
    in_every_state,
    legal,
    new_job,
    queued,
    retrying,
    running,
    scheduled,
    succeeded,
)

SECOND = timedelta(seconds=1)
LATER = NOW + timedelta(days=2)
ANCIENT = NOW + timedelta(days=400)
RESULT = JsonText('{"rows":1}')

PAUSE = Pause(waits_for=(WaitFor(kind="time", name="night"),), until=ANCIENT + SECOND)

PARENT = Parent(life="p@1", group="all", place=0, depth=1, round=1, index=0, size=1, keep_seconds=60)

Move = Callable[[Job], Change | IllegalTransition]

SLOT = next_slot(Lane(name="stripe:7"), Rate(1, per=timedelta(seconds=1)), LATER)

EVERY_MOVE: dict[str, Move] = {
    "claim": lambda job: transitions.claim(job, POLICY, "other", LATER + SECOND, LATER),
    "succeed": lambda job: transitions.finish(job, POLICY, TOKEN, Done(result=RESULT), LATER, 0.5),
    "retry": lambda job: transitions.finish(job, POLICY, TOKEN, Retry(reason="x"), LATER, 0.5),
    "fail": lambda job: transitions.finish(job, POLICY, TOKEN, Fail(reason="x"), LATER, 0.5),
    "time out": lambda job: transitions.finish(job, POLICY, TOKEN, TimedOut(reason="x"), LATER, 0.5),
    "stop": lambda job: transitions.finish(job, POLICY, TOKEN, Stopped(), LATER, 0.5),
    "claim in a lane": lambda job: transitions.claim(job, POLICY, "other", LATER + SECOND, LATER, Start(place=2)),
    "block": lambda job: transitions.block(job, POLICY, LATER),
    "unblock": lambda job: transitions.unblock(job, POLICY, Free(), LATER),
    "unblock in a slot": lambda job: transitions.unblock(job, POLICY, SLOT, LATER),
    "cancel": lambda job: transitions.cancel(job, POLICY, LATER),
    "report progress": lambda job: transitions.report_progress(job, TOKEN, 0.5, "half", LATER),
    "wake": lambda job: transitions.wake(job, POLICY, LATER, 0.5),
    "wake, too late": lambda job: transitions.wake(job, POLICY, ANCIENT, 0.5),
    "pause": lambda job: transitions.finish(job, POLICY, TOKEN, PAUSE, LATER, 0.5),
    "pause directly": lambda job: transitions.pause(job, POLICY, PAUSE, Known(), LATER),
    "go on": lambda job: transitions.finish(job, POLICY, TOKEN, Pause(), LATER, 0.5),
    "signal": lambda job: transitions.signal(job, POLICY, "approved", LATER),
    "signal something else": lambda job: transitions.signal(job, POLICY, "other", LATER),
    "end a round of children": lambda job: transitions.children_ended(job, POLICY, "all", 0, LATER),
    "take another turn": lambda job: transitions.take_another_turn(job, POLICY, PARENT, LATER),
    "keep": lambda job: transitions.keep(job, LATER + timedelta(days=400), LATER),
    "retry manually": lambda job: transitions.retry_manually(job, POLICY, LATER),
    "retry manually in a full lane": lambda job: transitions.retry_manually(job, POLICY, LATER, InLine()),
    "succeed directly": lambda job: transitions.succeed(job, POLICY, RESULT, LATER),
    "retry directly": lambda job: transitions.retry(job, POLICY, Retry(reason="x"), "exhausted", LATER, 0.5),
    "fail directly": lambda job: transitions.fail(job, POLICY, Fail(reason="x"), "permanent", LATER),
    "queue": lambda job: transitions.queue(job, POLICY, LATER),
    "redrive": lambda job: transitions.redrive(job, POLICY, LATER),
    "expire": lambda job: transitions.expire(job, POLICY, LATER),
    "rescue": lambda job: transitions.rescue(job, POLICY, LATER, 0.5),
}

STARTS = (*in_every_state(max_attempts=3, lane=InLane(name="stripe:7")), *in_every_state(max_attempts=1))


def test_the_transitions_that_the_functions_make_are_those_that_the_diagram_shows() -> None:
    made: set[tuple[Status, Status]] = set()
    for start in STARTS:
        for move in EVERY_MOVE.values():
            moved = move(start)
            if isinstance(moved, Change) and moved != Change(start):
                made.add((start.status, moved.job.status))
    drawn = {(move.source, move.target) for move in MOVES if move.source != "new"}
    assert made == drawn
    born = {transitions.submit(new_job(), POLICY, NOW).job.status, scheduled().status, blocked().status}
    assert born == {move.target for move in MOVES if move.source == "new"}


@pytest.mark.parametrize("name", EVERY_MOVE)
@pytest.mark.parametrize("start", STARTS, ids=lambda job: f"{job.status}-{job.max_attempts}")
def test_every_transition_keeps_what_must_not_change(name: str, start: Job) -> None:
    change = EVERY_MOVE[name](start)
    if isinstance(change, IllegalTransition):
        assert change.job_id == start.id
        assert change.status == start.status
        return
    moved = change.job
    kept = {"id", "owner_id", "type", "payload", "tags", "max_attempts", "created_at", "fingerprint", "lane"}
    assert moved.model_dump(include=kept) == start.model_dump(include=kept)
    assert Job.model_validate(moved.model_dump()) == moved
    assert moved.attempt <= moved.max_attempts
    if moved != start:
        assert moved.version == start.version + 1
        assert moved.updated_at in {LATER, ANCIENT}
    assert (moved.wake_at is None) is is_final(moved)
    assert moved.expires_at.microsecond == 0
    if not is_final(moved):
        assert moved.wake_at is not None
        assert moved.expires_at >= moved.wake_at + timedelta(days=1)


@pytest.mark.parametrize("final", [succeeded(), failed(), cancelled()], ids=lambda job: job.status)
@pytest.mark.parametrize(
    "name", sorted(set(EVERY_MOVE) - {"retry manually", "retry manually in a full lane", "take another turn", "keep"})
)
def test_a_final_state_never_changes(final: Job, name: str) -> None:
    assert isinstance(EVERY_MOVE[name](final), IllegalTransition)


@pytest.mark.parametrize("final", [succeeded(), failed(), cancelled()], ids=lambda job: job.status)
def test_a_job_that_has_ended_is_kept_for_longer_and_is_otherwise_the_same(final: Job) -> None:
    until = final.expires_at + timedelta(days=1)
    kept = legal(transitions.keep(final, until, LATER))
    later = {"expires_at": until, "version": final.version + 1, "updated_at": LATER}
    assert kept == final.model_copy(update=later)
    assert not has_moved(kept), "nobody is told of it"
    assert legal(transitions.keep(kept, final.expires_at, LATER)).expires_at == until, "and never shorter"


def test_a_job_without_a_time_is_queued_at_once() -> None:
    job = queued()
    assert job.state == Queued(queued_at=NOW)
    assert (job.version, job.attempt, job.created_at, job.updated_at) == (1, 0, NOW, NOW)
    assert [entry.status for entry in job.history] == ["queued"]


def test_a_job_whose_time_has_passed_is_queued_at_once() -> None:
    assert scheduled(run_at=NOW).state == Queued(queued_at=NOW)


def test_a_scheduled_job_waits_for_its_time() -> None:
    job = scheduled(run_at=NOW + SECOND)
    assert job.state == Scheduled(run_at=NOW + SECOND)
    assert job.wake_at == NOW + SECOND


def test_a_queued_job_is_not_due_before_one_whole_normal_run() -> None:
    job = queued()
    assert job.wake_at == NOW + TRIGGER_PATIENCE + POLICY.timeout + LEASE_GRACE
    assert claimed(job, NOW + SECOND).wake_at == job.wake_at, "so that a claim costs no index write"


def test_an_unfinished_jobs_ttl_lies_far_ahead_in_whole_seconds() -> None:
    job = scheduled(run_at=NOW + timedelta(days=100))
    assert job.expires_at >= NOW + timedelta(days=100) + UNFINISHED_HORIZON
    assert job.expires_at.microsecond == 0


def test_a_claim_counts_the_attempt_and_sets_the_lease() -> None:
    job = claimed(queued(), NOW + SECOND)
    assert isinstance(job.state, Running)
    assert job.attempt == 1
    assert job.started_at == NOW + SECOND
    assert job.state.lease.token == TOKEN
    assert job.state.lease.until == NOW + SECOND + POLICY.timeout + LEASE_GRACE


def test_a_lease_ends_with_the_function_when_that_is_nearer() -> None:
    deadline = NOW + timedelta(seconds=3)
    job = legal(transitions.claim(queued(), POLICY, TOKEN, deadline, NOW))
    assert isinstance(job.state, Running)
    assert job.state.lease.until == deadline + LEASE_GRACE


def test_a_late_claim_moves_the_wake_time_to_the_end_of_its_lease() -> None:
    late = NOW + timedelta(hours=1)
    job = claimed(queued(), late)
    assert job.wake_at == late + POLICY.timeout + LEASE_GRACE


@pytest.mark.parametrize("wait", [scheduled(), retrying()], ids=lambda job: job.status)
def test_a_waiting_job_is_claimed_when_it_is_due_and_not_before(wait: Job) -> None:
    assert wait.wake_at is not None
    deadline = wait.wake_at + timedelta(minutes=15)
    early = transitions.claim(wait, POLICY, "other", deadline, wait.wake_at - SECOND)
    assert early == IllegalTransition(job_id=wait.id, status=wait.status, action="claim")
    job = legal(transitions.claim(wait, POLICY, "other", deadline, wait.wake_at))
    assert isinstance(job.state, Running)
    assert job.attempt == wait.attempt + 1
    assert job.state.lease.until == wait.wake_at + POLICY.timeout + LEASE_GRACE
    assert job.wake_at == wait.wake_at, "so that a claim costs no index write"


@pytest.mark.parametrize("wait", [scheduled(), retrying()], ids=lambda job: job.status)
def test_a_waiting_job_past_its_age_is_not_claimed(wait: Job) -> None:
    assert wait.wake_at is not None
    last = wait.wake_at + POLICY.max_age
    assert transitions.is_claimable(wait, POLICY, last)
    assert not transitions.is_claimable(wait, POLICY, last + SECOND)


def test_a_claimed_job_cannot_be_claimed_again() -> None:
    job = running()
    refused = transitions.claim(job, POLICY, "other", LATER, NOW)
    assert refused == IllegalTransition(job_id=job.id, status="running", action="claim")


def test_success_commits_the_result_and_sets_the_retention() -> None:
    job = finished(running(), Done(result=RESULT), NOW + SECOND)
    assert job.state == Succeeded(finished_at=NOW + SECOND, result=RESULT)
    assert timedelta(0) <= job.expires_at - (NOW + SECOND + POLICY.retention) < SECOND
    assert [entry.status for entry in job.history] == ["queued", "running", "succeeded"]


def test_an_outcome_with_a_stale_lease_is_refused() -> None:
    outcome = transitions.finish(running(), POLICY, "stale", Done(result=RESULT), NOW, 0.5)
    assert isinstance(outcome, IllegalTransition)


def test_a_failed_attempt_is_retried_after_a_jittered_delay() -> None:
    job = finished(running(), Retry(reason="busy", code="http_503"), NOW)
    assert isinstance(job.state, Retrying)
    assert job.state.retry_at == NOW + POLICY.backoff.base * 0.5 == job.wake_at
    assert (job.state.error.code, job.state.error.message, job.state.error.attempt) == ("http_503", "busy", 1)
    assert job.history[-1].code == "http_503"


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (timedelta(seconds=7), timedelta(seconds=7)),
        (timedelta(seconds=-7), timedelta(0)),
        (timedelta(days=7), timedelta(days=1)),
    ],
)
def test_a_handler_may_say_when_to_retry_within_a_day(after: timedelta, expected: timedelta) -> None:
    job = finished(running(), Retry(reason="busy", after=after), NOW)
    assert isinstance(job.state, Retrying)
    assert job.state.retry_at == NOW + expected


def test_the_last_attempts_failure_is_the_jobs() -> None:
    job = finished(running(max_attempts=1), Retry(reason="busy"), NOW)
    assert isinstance(job.state, Failed)
    assert (job.state.reason, job.state.error.message) == ("exhausted", "busy")


def test_a_timeout_is_retried_and_is_the_reason_of_the_final_failure() -> None:
    assert isinstance(finished(running(), TimedOut(reason="slow")).state, Retrying)
    last = finished(running(max_attempts=1), TimedOut(reason="slow"))
    assert isinstance(last.state, Failed)
    assert (last.state.reason, last.state.error.code) == ("timeout", "timeout")


def test_a_permanent_failure_is_not_retried() -> None:
    job = finished(running(), Fail(reason="malformed", code="malformed_csv"))
    assert isinstance(job.state, Failed)
    assert (job.state.reason, job.state.error.code) == ("permanent", "malformed_csv")


def test_an_error_message_is_bounded() -> None:
    job = finished(running(), Fail(reason="x" * 100_000))
    assert isinstance(job.state, Failed)
    assert len(job.state.error.message) == transitions.MAX_MESSAGE


def test_the_history_keeps_what_each_failed_attempt_said_and_where() -> None:
    frames = tuple(Frame(file="jobs/orders.py", line=line, function="charge", source="charge()") for line in (3, 7))
    first = finished(running(max_attempts=2), Raised(code="KeyError", message="m" * 1000, frames=frames))
    last = finished(claimed(first, LATER), Fail(code="no_stock", reason="sold out"), LATER)
    one, other = [entry for entry in last.history if entry.code]
    assert (one.status, one.code, one.message) == ("retrying", "KeyError", "m" * transitions.MAX_NOTED)
    assert one.frame == Frame(file="jobs/orders.py", line=7, function="charge"), "the innermost, without its text"
    assert (other.status, other.message, other.frame) == ("failed", "sold out", None)
    assert [entry.message for entry in last.history if not entry.code] == [None] * (len(last.history) - 2)


@pytest.mark.parametrize("waiting", [queued(), scheduled(), retrying()], ids=lambda job: job.status)
def test_a_waiting_job_is_cancelled_at_once(waiting: Job) -> None:
    job = legal(transitions.cancel(waiting, POLICY, LATER))
    assert job.state == Cancelled(finished_at=LATER)


def test_a_running_job_is_asked_to_stop_once() -> None:
    job = asked_to_stop()
    assert isinstance(job.state, Running)
    assert job.state.cancel_requested
    assert transitions.cancel(job, POLICY, LATER) == Change(job), "asking again changes nothing"


def test_a_handler_that_stops_on_request_leaves_the_job_cancelled() -> None:
    assert finished(asked_to_stop(), Stopped()).state == Cancelled(finished_at=NOW)


def test_a_handler_that_stops_unasked_has_failed() -> None:
    job = finished(running(), Stopped())
    assert isinstance(job.state, Failed)
    assert job.state.error.code == "stopped_unasked"


def test_a_job_that_was_asked_to_stop_is_not_retried() -> None:
    assert finished(asked_to_stop(), Retry(reason="busy")).status == "cancelled"
    assert finished(asked_to_stop(), TimedOut(reason="slow")).status == "cancelled"


def test_completed_work_counts_although_it_was_asked_to_stop() -> None:
    assert finished(asked_to_stop(), Done(result=RESULT)).status == "succeeded"


def test_progress_is_bounded_and_written_at_most_once_a_second() -> None:
    first = legal(transitions.report_progress(running(), TOKEN, 7.5, "x" * 5000, NOW))
    assert isinstance(first.state, Running)
    assert first.state.progress is not None
    assert first.state.progress.fraction == 1.0
    assert len(first.state.progress.message) == transitions.MAX_MESSAGE
    assert transitions.report_progress(first, TOKEN, 0.6, "", NOW + SECOND / 2) == Change(first)
    assert transitions.report_progress(first, TOKEN, 0.6, "", NOW + SECOND) != Change(first)
    assert isinstance(transitions.report_progress(first, "stale", 0.6, "", LATER), IllegalTransition)
    nan = legal(transitions.report_progress(running(), TOKEN, float("nan"), "", NOW))
    assert isinstance(nan.state, Running)
    assert nan.state.progress is not None
    assert nan.state.progress.fraction == 0.0


def test_progress_and_a_request_to_stop_do_not_overwrite_each_other() -> None:
    reported = legal(transitions.report_progress(asked_to_stop(), TOKEN, 0.5, "", NOW))
    assert isinstance(reported.state, Running)
    assert reported.state.cancel_requested
    asked = legal(transitions.cancel(legal(transitions.report_progress(running(), TOKEN, 0.5, "", NOW)), POLICY, NOW))
    assert isinstance(asked.state, Running)
    assert asked.state.progress is not None


def test_a_due_job_is_queued_and_not_before() -> None:
    job = scheduled(run_at=NOW + SECOND)
    assert isinstance(transitions.wake(job, POLICY, NOW, 0.5), IllegalTransition)
    assert legal(transitions.wake(job, POLICY, NOW + SECOND, 0.5)).state == Queued(queued_at=NOW + SECOND)


@pytest.mark.parametrize("seconds", [1, 30, 80, 890])
def test_a_queued_job_is_examined_within_each_window_of_its_alarm(seconds: int) -> None:
    policy = Policy(timeout=timedelta(seconds=seconds))
    job = queued(policy=policy)
    for _ in range(9):
        moment = job.wake_at or NOW
        job = legal(transitions.wake(job, policy, moment, 0.5))
        assert job.wake_at is not None
        # The sweep after it comes within a minute; OldestQueuedJobAlarm looks at 20 minutes.
        assert job.wake_at - moment <= timedelta(minutes=19)


def test_a_lost_trigger_is_redriven_with_a_patience_that_doubles_each_time() -> None:
    job = queued()
    assert job.wake_at is not None
    assert isinstance(transitions.wake(job, POLICY, job.wake_at - SECOND, 0.5), IllegalTransition)
    patience = []
    for _ in range(9):
        assert job.wake_at is not None
        moment = job.wake_at
        job = legal(transitions.wake(job, POLICY, moment, 0.5))
        assert job.wake_at is not None
        patience.append((job.wake_at - moment - POLICY.timeout - LEASE_GRACE) / TRIGGER_PATIENCE)
    longest = (LONGEST_UNEXAMINED - POLICY.timeout - LEASE_GRACE) / TRIGGER_PATIENCE
    assert patience == [2, 4, 8, 16, 32, longest, longest, longest, longest]
    assert job.state == Queued(queued_at=NOW, redrives=9)
    assert len(job.history) == 1


def test_a_runners_job_is_redriven_soon_once_and_then_seldom_for_its_queue_holds_a_backlog() -> None:
    policy = POLICY.model_copy(update={"runner": "standard"})
    job, moment = queued(policy=policy), NOW
    patience = []
    for _ in range(4):
        assert job.wake_at is not None
        patience.append(job.wake_at - moment - policy.timeout - LEASE_GRACE)
        moment = job.wake_at
        job = legal(transitions.wake(job, policy, moment, 0.5))
    assert patience == [TRIGGER_PATIENCE, RUNNER_PATIENCE, 2 * RUNNER_PATIENCE, patience[3]]
    assert patience[3] == min(4 * RUNNER_PATIENCE, LONGEST_UNEXAMINED - policy.timeout - LEASE_GRACE)


@pytest.mark.parametrize("waiting", [queued(), scheduled(run_at=NOW + SECOND), retrying()], ids=lambda job: job.status)
def test_a_job_that_could_not_be_started_for_too_long_fails_as_expired(waiting: Job) -> None:
    job = legal(transitions.wake(waiting, POLICY, NOW + POLICY.max_age + timedelta(minutes=1), 0.5))
    assert isinstance(job.state, Failed)
    assert (job.state.reason, job.state.error.code) == ("expired", "expired")
    assert job.state.error.message == f"not started within {POLICY.max_age} of the time it was due"


@pytest.mark.parametrize("waiting", [queued(), scheduled(run_at=NOW + SECOND), retrying()], ids=lambda job: job.status)
def test_a_job_may_be_started_until_the_last_moment_of_its_age(waiting: Job) -> None:
    match waiting.state:
        case Scheduled(run_at=due) | Retrying(retry_at=due) | Queued(queued_at=due):
            last = due + POLICY.max_age
        case _:
            raise AssertionError(waiting)
    assert legal(transitions.wake(waiting, POLICY, last, 0.5)).status == "queued"
    assert legal(transitions.wake(waiting, POLICY, last + timedelta(microseconds=1), 0.5)).status == "failed"


def test_a_job_without_a_wake_time_is_not_redriven() -> None:
    forgotten = queued().model_copy(update={"wake_at": None})
    assert isinstance(transitions.redrive(forgotten, POLICY, LATER), IllegalTransition)


def test_a_dead_workers_job_is_rescued_when_its_lease_has_ended() -> None:
    job = running()
    assert isinstance(job.state, Running)
    until = job.state.lease.until
    assert isinstance(transitions.wake(job, POLICY, until - SECOND, 0.5), IllegalTransition)
    rescued = legal(transitions.wake(job, POLICY, until, 0.5))
    assert isinstance(rescued.state, Retrying)
    assert rescued.state.error.code == "lease_expired"
    assert rescued.attempt == 1, "the attempt was counted when it was claimed"
    assert rescued.steps == 1, "it may have remembered something, which is to be deleted with it"
    known = job.model_copy(update={"steps": 5})
    assert legal(transitions.wake(known, POLICY, until, 0.5)).steps == 5


def test_a_job_that_kills_its_worker_each_time_ends_failed() -> None:
    job, now = queued(max_attempts=3), NOW
    for _ in range(3):
        now += timedelta(days=1)
        job = claimed(job, now)
        now += timedelta(days=1)
        job = legal(transitions.wake(job, POLICY, now, 0.5))
        if isinstance(job.state, Retrying):
            job = legal(transitions.wake(job, POLICY, job.state.retry_at, 0.5))
    assert isinstance(job.state, Failed)
    assert (job.state.reason, job.attempt) == ("exhausted", 3)


def test_a_rescued_job_that_was_asked_to_stop_is_cancelled() -> None:
    assert legal(transitions.wake(asked_to_stop(), POLICY, LATER, 0.5)).status == "cancelled"


@pytest.mark.parametrize("ended", [failed(), cancelled()], ids=lambda job: job.status)
def test_a_person_can_give_a_job_all_its_attempts_again(ended: Job) -> None:
    job = legal(transitions.retry_manually(ended, POLICY, LATER))
    assert job.state == Queued(queued_at=LATER)
    assert job.attempt == 0
    assert job.expires_at > LATER + timedelta(days=29)


def test_a_succeeded_job_cannot_be_retried() -> None:
    assert isinstance(transitions.retry_manually(succeeded(), POLICY, LATER), IllegalTransition)


def test_history_keeps_the_last_transitions() -> None:
    job = failed()
    for _ in range(30):
        job = legal(transitions.cancel(legal(transitions.retry_manually(job, POLICY, LATER)), POLICY, LATER))
    assert len(job.history) == MAX_HISTORY
    assert job.history[-1].status == "cancelled"


def test_what_a_client_may_do_is_what_the_transitions_allow() -> None:
    for job in in_every_state():
        allowed = transitions.legal_for_a_client(job)
        assert ("cancel" in allowed) is isinstance(transitions.cancel(job, POLICY, LATER), Change)
        assert ("retry" in allowed) is isinstance(transitions.retry_manually(job, POLICY, LATER), Change)


def test_a_policy_with_a_short_retention_does_not_keep_the_far_horizon() -> None:
    brief = Policy(retention=timedelta(minutes=1), backoff=Backoff())
    job = finished(running(policy=brief), Done(result=RESULT), NOW, brief)
    assert job.expires_at <= NOW + timedelta(minutes=1) + SECOND


@pytest.mark.parametrize("job", [running(), succeeded(), failed(), cancelled()], ids=lambda job: job.status)
def test_a_job_that_was_started_or_has_ended_does_not_expire(job: Job) -> None:
    assert isinstance(transitions.expire(job, POLICY, ANCIENT), IllegalTransition)
