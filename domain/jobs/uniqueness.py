"""A unique key: of the jobs that were submitted with it, one at most is unfinished.

An item names the job that was last given the key, and is written in that job's own transaction. The key is free when
that job has ended, which the job itself says: nothing has to be given back, and nothing can be left behind.
"""

from datetime import datetime, timedelta
from typing import Final

from domain.jobs.change import Check, IfAbsent, IfEqual, Key, Put

TABLE: Final = "lanes"
"""A unique key is a lane of one whose second job is answered with the first."""
KEPT: Final = timedelta(days=400)
"""How long a key is remembered; longer than any job is unfinished."""


def key_item(unique: str) -> Key:
    """The primary key of the item."""
    return {"lane": f"unique#{unique}", "item": "holder"}


def key_taken(unique: str, job_id: str, before: str | None, now: datetime) -> Put:
    """Gives the key to a job: from nobody, or from the finished job that had it `before`."""
    return Put(
        table=TABLE,
        key=key_item(unique),
        values={"holder": job_id, "expires_at": int((now + KEPT).timestamp())},
        condition=IfAbsent() if before is None else IfEqual(attributes={"holder": before}),
    )


def key_held(unique: str, job_id: str) -> Check:
    """Holds while the job is the last that was given the key."""
    return Check(table=TABLE, key=key_item(unique), condition=IfEqual(attributes={"holder": job_id}))
