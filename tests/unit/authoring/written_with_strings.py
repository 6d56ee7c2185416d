"""A job type in a module whose annotations are all strings."""

from __future__ import annotations

from pydantic import BaseModel

from headrace import Fail, JobContext, job_type


class Text(BaseModel):
    """The payload."""

    text: str


class Short(BaseModel):
    """The result."""

    text: str


@job_type("text.shorten")
async def shorten(text: Text, _context: JobContext) -> Short | Fail:
    """Shorten a text."""
    return Short(text=text.text[:10]) if text.text else Fail(reason="there is nothing to shorten")
