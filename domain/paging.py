"""One page of a listing."""

from typing import Generic, TypeVar

from pydantic import Field

from headrace.authoring.frozen import Frozen

MAX_PAGE = 100

Item = TypeVar("Item")


class Page(Frozen, Generic[Item]):
    """Some items and, if more may follow, the cursor to ask for them (a page may be short)."""

    items: tuple[Item, ...]
    next: str | None = None


class PageRequest(Frozen):
    """How much to return, and where to begin."""

    limit: int = Field(default=20, ge=1, le=MAX_PAGE)
    cursor: str | None = None
