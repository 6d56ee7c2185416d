"""Makes what remembers for the attempts of a function."""

import asyncio
from datetime import datetime

from domain.children.calls import ChildCalls
from domain.children.stores import ChildStores
from domain.durable.durable import Durable
from domain.durable.memory import Held, Memory
from domain.durable.repository import StepRepository
from domain.durable.step import expiry_of
from domain.jobs.documents import Documents
from domain.jobs.following import Checker
from domain.jobs.job import Job, Running
from domain.jobs.outcomes import Outcome
from domain.ports import Clock, NewId
from domain.secrets.hidden import Hidden
from headrace.authoring.job_type import Policy


class JobSteps:
    """The store of steps, and what else an attempt needs to remember."""

    def __init__(
        self,
        steps: StepRepository,
        documents: Documents,
        clock: Clock,
        new_id: NewId,
        children: ChildStores | None = None,
    ) -> None:
        self._children = children
        self._steps = steps
        self._documents = documents
        self._clock = clock
        self._new_id = new_id

    def of(
        self,
        job: Job,
        ended: "asyncio.Future[Outcome]",
        hidden: Hidden,
        policy: Policy,
        deadline: datetime,
        *,
        is_first: bool,
        checker: Checker | None = None,
    ) -> Durable:
        """What remembers for the attempt of `job`, a running one; with a `checker`, it may have children."""
        now = self._clock()
        held = Held(
            job_id=job.id,
            life=job.life,
            token=job.state.lease.token if isinstance(job.state, Running) else "",
            attempt=job.attempt,
            began_at=job.started_at or now,
            deadline=deadline,
            expires_at=expiry_of(job, policy, now),
        )
        empty = is_first and not job.signals
        memory = Memory(held, hidden, self._steps, self._documents, self._clock, self._new_id, empty=empty)
        calls = None
        if checker is not None and self._children is not None:
            calls = ChildCalls(job, memory, self._children, checker, policy, self._clock)
        return Durable(job, memory, self._clock, ended, calls)
