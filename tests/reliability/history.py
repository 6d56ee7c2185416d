"""The checker: examines every committed change, and the state at the end."""

from collections import Counter
from datetime import datetime

from domain.jobs.job import Blocked, Cancelled, Failed, Job, Queued, Running, is_final


class Violation(AssertionError):
    """An invariant of docs/reliability.md does not hold."""


class History:
    """Every change of every job with its author, and every effect outside Headrace."""

    def __init__(self) -> None:
        self.changes: dict[str, list[tuple[str, Job]]] = {}
        self.effects: Counter[str] = Counter()
        """Executions that reached their effect, by idempotency key."""
        self.values: dict[tuple[str, str], str] = {}
        """What handlers got under the names of steps, by job."""
        self.violation: Violation | None = None
        """The first violation; it may have been raised in a process that died, so the exception itself may be lost."""
        self.accepted: set[str] = set()
        """Jobs whose acceptance was reported to a client."""

    def committed(self, author: str | None, before: Job | None, after: Job, now: datetime) -> None:
        """Check one change; raise `Violation`. `author` is None where the stream does not show who made the change."""
        self.changes.setdefault(after.id, []).append((author or "unknown", after))
        if before is None:
            self._require(after.version == 1, "I3", after, "a new job has version 1")
            return
        self._require(after.version == before.version + 1, "I3", after, f"follows version {before.version}")
        if is_final(before):
            by_person = author is not None and author.startswith("client")
            for_parent = after.parent is not None and after.generation == before.generation + 1
            manual = (by_person or for_parent) and isinstance(before.state, Failed | Cancelled)
            self._require(
                manual and isinstance(after.state, Queued | Blocked), "I2", after, f"{author} changed a final state"
            )
        if author is not None and isinstance(before.state, Running) and not isinstance(after.state, Running):
            token = before.state.lease.token
            holder = author.startswith("sweeper") or token.startswith(f"{author}:")
            self._require(holder, "I4", after, f"{author} ended the attempt of {token}")
        self._require(after.attempt <= after.max_attempts, "I5", after, "too many attempts")
        self._require(is_final(after) or after.wake_at is not None, "I1", after, "no query would find it")
        self._require(after.expires_at > now, "I1", after, "expired before its end")

    def seen(self, job_id: str, name: str, value: str) -> None:
        """Check that a handler gets the same value under a name in each of its runs."""
        before = self.values.setdefault((job_id, name), value)
        if before != value:
            self.fails(f"I9: {name} of {job_id} was {before}, and is {value}")

    def fails(self, problem: str) -> None:
        """Note a violation, and raise it."""
        found = Violation(problem)
        self.violation = self.violation or found
        raise found

    def settled(self, jobs: dict[str, Job]) -> None:
        """Check the end: no accepted job is lost, every job has ended, no more effects than attempts."""
        if self.violation is not None:
            raise self.violation
        for job_id in self.accepted:
            if job_id not in jobs:
                raise Violation(f"I1: {job_id} was accepted and is gone")
        for job in jobs.values():
            self._require(is_final(job), "I1", job, "has not ended")
            claims = sum(change.status == "running" for _, change in self._distinct(job.id))
            self._require(self.effects[job.id] <= claims, "I6", job, "more effects than attempts")

    def _distinct(self, job_id: str) -> list[tuple[str, Job]]:
        """Drop changes of a running job that stays running (progress, a cancel request): they are no new attempt."""
        found: list[tuple[str, Job]] = []
        last: Job | None = None
        for author, change in self.changes.get(job_id, []):
            if change.status != "running" or last is None or last.status != "running":
                found.append((author, change))
            last = change
        return found

    def _require(self, holds: bool, invariant: str, job: Job, problem: str) -> None:
        if not holds:
            way = "\n  ".join(
                f"{author}: version {change.version}, {change.status}, attempt {change.attempt}"
                for author, change in self.changes.get(job.id, [])
            )
            found = Violation(f"{invariant}: job {job.id}, version {job.version}, {job.status}: {problem}\n  {way}")
            self.violation = self.violation or found
            raise found
