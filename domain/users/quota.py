"""A user's quota: how many unfinished jobs it may have, and how many it may submit in a minute."""

from typing import Final

from pydantic import Field

from headrace.authoring.frozen import Stored

MAX_UNFINISHED: Final = 10_000
"""The largest limit: so many entries of an index are counted at each submission, at the most."""
MAX_A_MINUTE: Final = 60_000
"""The largest limit: what one item of DynamoDB can count."""


class Quota(Stored):
    """Limits; 0 sets none, and None leaves it to the deployment's parameter."""

    unfinished: int | None = Field(default=None, ge=0, le=MAX_UNFINISHED)
    submissions_per_minute: int | None = Field(default=None, ge=0, le=MAX_A_MINUTE)


DEFAULT: Final = Quota()
"""Of a user for whom nobody has decided anything."""
