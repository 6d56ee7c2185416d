"""Compresses files."""

import gzip
from collections.abc import Iterator

from headrace import File, SyncJobContext, job_type
from pydantic import BaseModel


class Plain(BaseModel):
    """A file as it was uploaded."""

    file: File


class Compressed(BaseModel):
    """The same, smaller."""

    file: File


@job_type("files.compress")
def compress(plain: Plain, context: SyncJobContext) -> Compressed:
    """Compress a file with gzip."""

    def chunks() -> Iterator[bytes]:
        with context.open(plain.file) as source:
            while chunk := source.read(2**20):
                yield gzip.compress(chunk)  # members one after the other are one gzip file

    return Compressed(file=context.save("compressed.gz", chunks(), "application/gzip"))
