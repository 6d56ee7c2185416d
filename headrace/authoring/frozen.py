"""The base of every piece of data in the domain."""

from typing import TypeVar, cast

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Immutable data without behaviour of its own; an unknown field is an error, not a surprise.

    A model's validator is built when it is first used: a cold start does not pay for those that it does not need, which
    are most (a tenth of the API's imports).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Stored(Frozen):
    """A part of a stored document. Members that a newer version added are kept, and written back with the part.

    In this version's own code an unknown member is an error all the same: see `init_forbid_extra` in pyproject.toml.
    """

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)


Part = TypeVar("Part", bound=Stored)


def declared(part: Part) -> Part:
    """The part as this version knows it, without what a newer version added: for showing, not for storing."""
    fields = {name: getattr(part, name) for name in type(part).model_fields}
    return cast("Part", type(part).model_construct(None, **fields))
