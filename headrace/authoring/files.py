"""Files: content beside a job's payload and result, up to 5 GB, streamed."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Annotated, Final, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

FILES_FOUND: Final = "headrace.files"
"""The member of a validation's context that collects the files of a document, if it is given: a list."""

CHUNK_BYTES: Final = 4 * 1024 * 1024
"""What an attempt reads of a file at once, and holds in memory."""


class File(BaseModel):
    """A file that was uploaded, as a field of a payload; or that a handler saved, as a field of its result.

    A client gives the id; what else it gives must be what was uploaded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    name: str | None = None
    content_type: str | None = None
    size: int | None = None
    """Bytes."""

    @model_validator(mode="after")
    def _is_noted(self, info: ValidationInfo) -> Self:
        found = info.context.get(FILES_FOUND) if isinstance(info.context, dict) else None
        if isinstance(found, list):
            found.append(self)
        return self


class FileError(Exception):
    """What `open` and `save` raise."""


class FileMissing(FileError):
    """The file is not there: it was never uploaded, has expired, or is another tenant's. The job fails at once."""


class FileTooLarge(FileError):
    """More than 5 GB were to be saved. The job fails at once."""


class FileUnavailable(FileError):
    """The files could not be reached; another attempt may succeed."""


Chunks = bytes | Iterable[bytes] | AsyncIterable[bytes]
"""What `save` takes: bytes, a file that is open for reading, or anything that yields bytes."""


class FileStream(Protocol):
    """A file that is read from its start, in an `async` handler. It needs no closing.

    `async for chunk in stream` yields all of it, in chunks of up to `CHUNK_BYTES`.
    """

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def content_type(self) -> str: ...

    async def read(self, size: int = -1) -> bytes:
        """The next `size` bytes, fewer only at the end; all that is left by default, which memory must hold."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...
