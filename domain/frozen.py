"""The base of every piece of data in the domain."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Immutable data without behaviour of its own; an unknown field is an error, not a surprise."""

    model_config = ConfigDict(frozen=True, extra="forbid")
