"""What the handlers take and give."""

from pydantic import BaseModel


class Nothing(BaseModel):
    """An event without members."""


class Text(BaseModel):
    """A result of one text."""

    text: str


class Number(BaseModel):
    """A result of one number."""

    value: int


class Numbers(BaseModel):
    """A result of several numbers."""

    values: list[int]


class Texts(BaseModel):
    """A result of several texts."""

    texts: list[str]
