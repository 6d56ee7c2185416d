"""What the sweeper does with a job whose time has come, by what is known of it without reading its documents."""

from datetime import timedelta
from typing import Literal

from domain.jobs.repository import DueState
from headrace.authoring.job_type import Policy

INTERVAL = timedelta(minutes=1)
"""Between two sweeps. Each looks ahead over as much of the index, so that every entry is seen once."""
SENT_AGAIN = 2 * INTERVAL
"""Jobs overdue by less get another message at each sweep: theirs was lost, or waits in a backlog, which must not grow
much by this."""
WAKE_PATIENCE = 4 * INTERVAL
"""Jobs overdue by more are queued through the stream instead: something is wrong with the wake queue."""

Step = Literal["send", "leave", "wait", "idle", "examine"]


def step_of(state: DueState, age: timedelta, policy: Policy, in_stream: bool) -> Step:
    """What to do with an entry of the index whose time has come; `age` is the time since its `DueState.since`.

    `send` it to the wake queue; `leave` it to the message that it has; let it `wait` for its trigger, which is yet
    `in_stream`; it is `idle`, for its time has not come after all; or `examine` it, and move it on.
    """
    match state.status:
        case "running":
            return "idle" if age < timedelta(0) else "examine"
        case "blocked":
            return "examine" if age > policy.max_age else "idle"
        case "queued":
            return "wait" if in_stream and age <= policy.max_age else "examine"
        case "scheduled" | "retrying" | "waiting" if age > policy.max_age or age >= WAKE_PATIENCE:
            return "examine"
        case "scheduled" | "retrying" | "waiting" if age < timedelta(0):
            return "idle"
        case "scheduled" | "retrying" | "waiting":
            return "send" if age < SENT_AGAIN else "leave"
