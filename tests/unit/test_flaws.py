"""Errors of a document, whatever its model's validators raise."""

from typing import Annotated

import pytest
from pydantic import AfterValidator, BaseModel
from pydantic_core import PydanticCustomError

from domain.flaws import Flaws, read_document
from headrace.authoring.json_text import to_json_text


class _Unspeakable(ValueError):
    def __str__(self) -> str:
        raise SystemExit


def _refuse(word: str) -> str:
    match word:
        case "surrogate":
            raise ValueError("caf\udce9")
        case "unspeakable":
            raise _Unspeakable
        case _:
            raise PydanticCustomError("odd", "{odd}", {"odd": object()})


class Words(BaseModel):
    """Strings that are all refused."""

    words: list[Annotated[str, AfterValidator(_refuse)]]


@pytest.mark.parametrize("word", ["surrogate", "unspeakable", "odd"])
@pytest.mark.parametrize("count", [1, 5000])
def test_an_error_message_is_never_empty(word: str, count: int) -> None:
    read = read_document(Words, to_json_text({"words": [word] * count}))
    assert isinstance(read, Flaws)
    assert 1 <= len(read.first) <= 20
    assert read.count in {1, count}, "one exception may end the validation"


def test_the_flaws_of_a_part_are_seen_from_the_whole() -> None:
    read = read_document(Words, to_json_text({"words": 1}))
    assert isinstance(read, Flaws)
    assert [flaw.path for flaw in read.below("payload").first] == [("payload", "words")]


def test_a_good_document_is_its_model() -> None:
    assert read_document(Words, to_json_text({"words": []})) == Words(words=[])
