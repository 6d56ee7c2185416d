"""Links in answers lead where the caller came from: below `/iam` for a role, below `/key` for a key."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_PREFIX: ContextVar[str] = ContextVar("prefix", default="")


def link(path: str) -> str:
    """The path of the application (`/v1/…`) as the caller of the current request reaches it."""
    return f"{_PREFIX.get()}{path}"


@contextmanager
def links_below(prefix: str) -> Iterator[None]:
    """Within it, and in the tasks that it starts, links have this prefix."""
    token = _PREFIX.set(prefix)
    try:
        yield
    finally:
        _PREFIX.reset(token)
