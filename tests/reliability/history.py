"""The checker: looks at every committed change, and at what is left in the end."""

from collections import Counter
from datetime import datetime

from domain.jobs.job import Cancelled, Failed, Job, Queued, Running, is_final


class Violation(AssertionError):
    """An invariant of `reliability.md` does not hold."""


class History:
    """Every change of every job, by whom, and every effect outside."""

    def __init__(self) -> None:
        self.changes: dict[str, list[tuple[str, Job]]] = {}
        self.effects: Counter[str] = Counter()
        """Executions that got as far as their effect, by idempotency key."""
        self.violation: Violation | None = None
        """The first; it may have been raised where nobody hears it, in a process that died."""
        self.accepted: set[str] = set()
        """Jobs of which a client was told that they are accepted."""

    def committed(self, author: str | None, before: Job | None, after: Job, now: datetime) -> None:
        """Check one change; raises `Violation`. Who made it is not known (None) to those who look from outside."""
        self.changes.setdefault(after.id, []).append((author or "somebody", after))
        if before is None:
            self._require(after.version == 1, "I3", after, "a new job has version 1")
            return
        self._require(after.version == before.version + 1, "I3", after, f"follows version {before.version}")
        if is_final(before):
            by_hand = (
                author is not None and author.startswith("client") and isinstance(before.state, Failed | Cancelled)
            )
            self._require(by_hand and isinstance(after.state, Queued), "I2", after, f"{author} changed a final state")
        if author is not None and isinstance(before.state, Running) and not isinstance(after.state, Running):
            token = before.state.lease.token
            holder = author.startswith("sweeper") or token.startswith(f"{author}:")
            self._require(holder, "I4", after, f"{author} ended the attempt of {token}")
        self._require(after.attempt <= after.max_attempts, "I5", after, "too many attempts")
        self._require(is_final(after) or after.wake_at is not None, "I1", after, "nobody would find it")
        self._require(after.expires_at > now, "I1", after, "expired before its end")

    def settled(self, jobs: dict[str, Job]) -> None:
        """Check the end: nothing accepted is lost, everything has ended, effects need an attempt."""
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
        """Claims only: a running job that stays running (progress, a cancel request) is no new attempt."""
        found: list[tuple[str, Job]] = []
        last: Job | None = None
        for author, change in self.changes.get(job_id, []):
            if change.status != "running" or last is None or last.status != "running":
                found.append((author, change))
            last = change
        return found

    def _require(self, holds: bool, invariant: str, job: Job, told: str) -> None:
        if not holds:
            way = "\n  ".join(
                f"{author}: version {change.version}, {change.status}, attempt {change.attempt}"
                for author, change in self.changes.get(job.id, [])
            )
            found = Violation(f"{invariant}: job {job.id}, version {job.version}, {job.status}: {told}\n  {way}")
            self.violation = self.violation or found
            raise found
