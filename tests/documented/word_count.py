"""Counts words."""

from datetime import timedelta

from headrace import Fail, JobContext, job_type
from pydantic import BaseModel


class Document(BaseModel):
    """A text."""

    text: str


class WordCount(BaseModel):
    """How long a text is."""

    words: int


@job_type("text.word_count", timeout=timedelta(seconds=10), max_attempts=3)
async def count_words(document: Document, context: JobContext) -> WordCount | Fail:
    """Count the words of a text."""
    if not document.text:
        return Fail(reason="there is nothing to count")
    await context.report_progress(0.5, "counting")
    return WordCount(words=len(document.text.split()))
