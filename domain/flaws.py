"""Validates a document: reports the first flaws with their paths and how many there are, whatever the model raises."""

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, from_json

from headrace.authoring.frozen import Frozen
from headrace.authoring.json_text import JsonText

MAX_FLAWS: Final = 20
"""Flaws that are described; the rest are counted."""

_MANY = 1000
_MAX_TEXT = 1_500_000


class Flaw(Frozen):
    """One error in a document; `path` leads to it from the document's root."""

    path: tuple[str | int, ...]
    message: str


class Flaws(Frozen):
    """The first flaws of a document (at most `MAX_FLAWS`), and how many there are in all."""

    first: tuple[Flaw, ...]
    count: int

    def below(self, *path: str) -> "Flaws":
        """The same flaws, seen from a document that holds this one under `path`."""
        first = tuple(Flaw(path=(*path, *flaw.path), message=flaw.message) for flaw in self.first)
        return Flaws(first=first, count=self.count)


def flaws_of(error: ValidationError) -> Flaws:
    """The flaws that pydantic found. Time and memory stay small for 100,000 of them."""
    first = tuple(Flaw(path=tuple(found["loc"]), message=found["msg"]) for found in _first_errors(error))
    return Flaws(first=first, count=error.error_count())


def read_document(
    model: type[BaseModel], text: JsonText, context: Mapping[str, object] | None = None
) -> BaseModel | Flaws:
    """The document as `model` reads it. The model's validators are a user's code: they may raise anything.

    `context` is given to them (pydantic's `ValidationInfo.context`).
    """
    try:
        try:
            return model.model_validate_json(text, context=context)
        except ValidationError as error:
            return flaws_of(error)
    except BaseException as raised:  # noqa: BLE001 - nothing is awaited here, so this comes from a validator
        message = f"could not be validated: the job type's validator raised {type(raised).__name__}"
        return Flaws(first=(Flaw(path=(), message=message),), count=1)


def _first_errors(error: ValidationError) -> Sequence[ErrorDetails]:
    if error.error_count() <= _MANY:
        return error.errors(include_url=False, include_input=False, include_context=False)[:MAX_FLAWS]
    # 100,000 dictionaries take five times as long, and as much memory, as their JSON, of which a part is enough.
    text = error.json(include_url=False, include_input=False, include_context=False)
    found: list[ErrorDetails] = from_json(text[:_MAX_TEXT], allow_partial=True)
    return found[:MAX_FLAWS]
