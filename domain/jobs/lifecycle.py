"""Every legal move of a job: who makes it, and where it leads. `docs/lifecycle.md` is drawn from this list.

How a move is made is in `transitions.py`.
"""

from typing import Literal

from domain.jobs.job import Status
from headrace.authoring.frozen import Frozen


class Move(Frozen):
    """One arrow of the lifecycle."""

    source: Status | Literal["new"]
    target: Status
    action: str
    actor: Literal["client", "worker", "sweeper", "recorder"]


MOVES: tuple[Move, ...] = (
    Move(source="new", target="scheduled", action="submit for later", actor="client"),
    Move(source="new", target="queued", action="submit", actor="client"),
    Move(source="new", target="blocked", action="submit to a full lane", actor="client"),
    Move(source="scheduled", target="running", action="claim when due", actor="worker"),
    Move(source="scheduled", target="blocked", action="find no place in the lane", actor="worker"),
    Move(source="scheduled", target="queued", action="queue when overdue", actor="sweeper"),
    Move(source="scheduled", target="cancelled", action="cancel", actor="client"),
    Move(source="scheduled", target="failed", action="expire", actor="sweeper"),
    Move(source="blocked", target="queued", action="let go for a free place", actor="worker"),
    Move(source="blocked", target="scheduled", action="let go at the lane's rate", actor="worker"),
    Move(source="blocked", target="queued", action="let go whom nobody did", actor="sweeper"),
    Move(source="blocked", target="scheduled", action="let go at the lane's rate", actor="sweeper"),
    Move(source="blocked", target="queued", action="let go by a change of the lane", actor="client"),
    Move(source="blocked", target="failed", action="expire", actor="sweeper"),
    Move(source="blocked", target="cancelled", action="cancel", actor="client"),
    Move(source="queued", target="running", action="claim", actor="worker"),
    Move(source="queued", target="blocked", action="find no place in the lane", actor="worker"),
    Move(source="queued", target="queued", action="redrive a lost trigger", actor="sweeper"),
    Move(source="queued", target="failed", action="expire", actor="sweeper"),
    Move(source="queued", target="cancelled", action="cancel", actor="client"),
    Move(source="running", target="succeeded", action="succeed", actor="worker"),
    Move(source="running", target="retrying", action="retry", actor="worker"),
    Move(source="running", target="failed", action="fail", actor="worker"),
    Move(source="running", target="cancelled", action="stop as asked", actor="worker"),
    Move(source="running", target="running", action="request cancel", actor="client"),
    Move(source="running", target="running", action="report progress", actor="worker"),
    Move(source="running", target="retrying", action="rescue after the lease", actor="sweeper"),
    Move(source="running", target="failed", action="rescue, attempts exhausted", actor="sweeper"),
    Move(source="running", target="cancelled", action="rescue, cancel requested", actor="sweeper"),
    Move(source="retrying", target="running", action="claim when due", actor="worker"),
    Move(source="retrying", target="blocked", action="find no place in the lane", actor="worker"),
    Move(source="retrying", target="queued", action="queue when overdue", actor="sweeper"),
    Move(source="retrying", target="cancelled", action="cancel", actor="client"),
    Move(source="retrying", target="failed", action="expire", actor="sweeper"),
    Move(source="running", target="waiting", action="pause", actor="worker"),
    Move(source="running", target="queued", action="go on in another invocation", actor="worker"),
    Move(source="waiting", target="running", action="claim when due", actor="worker"),
    Move(source="waiting", target="blocked", action="find no place in the lane", actor="worker"),
    Move(source="waiting", target="queued", action="queue when overdue", actor="sweeper"),
    Move(source="waiting", target="queued", action="signal that it waits for", actor="client"),
    Move(source="scheduled", target="scheduled", action="signal", actor="client"),
    Move(source="blocked", target="blocked", action="signal", actor="client"),
    Move(source="queued", target="queued", action="signal", actor="client"),
    Move(source="running", target="running", action="signal", actor="client"),
    Move(source="retrying", target="retrying", action="signal", actor="client"),
    Move(source="waiting", target="waiting", action="signal", actor="client"),
    Move(source="waiting", target="queued", action="end the wait for its children", actor="recorder"),
    Move(source="failed", target="queued", action="retry for its parent's sake", actor="worker"),
    Move(source="cancelled", target="queued", action="retry for its parent's sake", actor="worker"),
    Move(source="waiting", target="cancelled", action="cancel", actor="client"),
    Move(source="waiting", target="failed", action="expire", actor="sweeper"),
    Move(source="succeeded", target="succeeded", action="keep for its parent", actor="worker"),
    Move(source="failed", target="failed", action="keep for its parent", actor="worker"),
    Move(source="cancelled", target="cancelled", action="keep for its parent", actor="worker"),
    Move(source="failed", target="queued", action="retry manually", actor="client"),
    Move(source="failed", target="blocked", action="retry manually in a full lane", actor="client"),
    Move(source="cancelled", target="queued", action="retry manually", actor="client"),
    Move(source="cancelled", target="blocked", action="retry manually in a full lane", actor="client"),
)
