"""The base of every piece of data in the domain."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Immutable data without behaviour of its own; an unknown field is an error, not a surprise."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Stored(Frozen):
    """A part of a stored document. Members that a newer version added are kept, and written back with the part.

    In this version's own code an unknown member is an error all the same: see `init_forbid_extra` in pyproject.toml.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
