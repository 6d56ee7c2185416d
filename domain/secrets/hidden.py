"""Hides the values of an attempt's secrets in whatever it writes: errors, results, progress, logs, prints."""

import json
from typing import Final

from pydantic import JsonValue

from domain.jobs.job import BlobRef, loaded
from domain.jobs.outcomes import Done, Outcome, Pause, Raised, TimedOut
from headrace.authoring.json_text import JsonText, from_json_text, to_json_text
from headrace.authoring.outcomes import Fail, Retry, Stopped

MIN_HIDDEN: Final = 6
"""Characters of the shortest text that is hidden: to replace every `1` would make nonsense of what is written."""


class Hidden:
    """The values that one attempt was given, each replaced by `[secret NAME]` in texts."""

    def __init__(self) -> None:
        self._marks: dict[str, str] = {}

    def add(self, name: str, value: str) -> None:
        """Hide a value from now on: as it is, as JSON writes it, and line by line if it has several."""
        for text in (value, *value.splitlines()):
            for form in (text, _escaped(text, to_ascii=True), _escaped(text, to_ascii=False)):
                if len(text) >= MIN_HIDDEN:
                    self._marks[form] = f"[secret {name}]"

    def text(self, text: str) -> str:
        """The text without the values, also where the beginning of one was cut off at its end."""
        text = self.beginning(text)
        for value, mark in self._marks.items():
            text = _without_end(text, value, mark)
        return text

    def beginning(self, text: str) -> str:
        """The same of a text that goes on: whatever its end is the beginning of may still become whole."""
        # The longest first: a value may be a part of another.
        for value in sorted(self._marks, key=len, reverse=True):
            text = text.replace(value, self._marks[value])
        return text

    def outcome(self, outcome: Outcome) -> Outcome:
        """The outcome without the values."""
        match outcome:
            case _ if not self._marks:
                return outcome
            case Stopped() | TimedOut() | Pause():
                return outcome
            case Done(result=result, otherwise=otherwise):
                kept = result if isinstance(result, BlobRef) else self.document(loaded(result))
                told = None if otherwise is None else self._told(otherwise)
                return outcome.model_copy(update={"result": kept, "otherwise": told})
            case Retry() | Fail():
                return self._told(outcome)
            case Raised():
                code, message = self.text(outcome.code), self.text(outcome.message)
                return outcome.model_copy(update={"code": code, "message": message})

    def document(self, document: JsonText) -> JsonText:
        """The document without the values: in strings alone, so that what is left is still JSON."""
        if self.text(document) == document:
            return document
        return to_json_text(self.value(from_json_text(document)))

    def value(self, value: JsonValue) -> JsonValue:
        """The same of a document that is no text yet."""
        match value:
            case str():
                return self.text(value)
            case list():
                return [self.value(member) for member in value]
            case dict():
                return {self.text(name): self.value(member) for name, member in value.items()}
            case _:
                return value

    def _told(self, outcome: Retry | Fail) -> Retry | Fail:
        return outcome.model_copy(update={"code": self.text(outcome.code), "reason": self.text(outcome.reason)})


def _without_end(text: str, value: str, mark: str) -> str:
    """The text without a beginning of the value at its end, where it was cut."""
    for length in range(min(len(value) - 1, len(text)), MIN_HIDDEN - 1, -1):
        if text.endswith(value[:length]):
            return text[:-length] + mark
    return text


def _escaped(text: str, *, to_ascii: bool) -> str:
    return json.dumps(text, ensure_ascii=to_ascii)[1:-1]
