"""The files of an attempt that runs in this process: read here or from the deployment, saved in a folder here."""

import mimetypes
import tempfile
from collections.abc import AsyncIterable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import click

from domain.blobs.store import BlobInfo, BlobMissing, BlobTooLarge
from domain.files.attempts import JobFiles
from domain.files.file import StoredFile
from domain.files.repository import FileNotFound
from domain.ports import Clock
from domain.results import StorageUnavailable
from headrace.cli.local.links import Gone, NoResponse, ranges, size_of

LinkOf = Callable[[str], str | None]
"""Where a file of the deployment can be read, by its id; None if there is no such file."""

_LIFETIME = timedelta(days=1)


@dataclass(frozen=True)
class LocalFiles:
    """Where an attempt finds its files."""

    paths: Mapping[str, Path] = field(default_factory=dict)
    """Files of this machine, by the ids that the payload names."""
    link_of: LinkOf = lambda _id: None

    def job_files(self, clock: Clock) -> JobFiles:
        """What the attempt's context works with."""
        return JobFiles(_Told(), _Blobs(self), clock, lambda: str(uuid4()), _LIFETIME)


class _Blobs:
    """Nothing is awaited here, for a plain handler has no loop that could wait."""

    def __init__(self, files: LocalFiles) -> None:
        self._files = files
        self._links: dict[str, str | None] = {}

    async def describe(self, key: str) -> BlobInfo | BlobMissing | StorageUnavailable:
        file_id = _id_of(key)
        path = self._files.paths.get(file_id)
        if path is not None:
            kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            return BlobInfo(size=path.stat().st_size, content_type=kind, revision="here")
        link = self._link(file_id)
        size = size_of(link) if link is not None else None
        match size:
            case int():
                return BlobInfo(size=size, content_type="application/octet-stream", revision="there")
            case Gone() | None:
                return BlobMissing(key=key)
            case NoResponse():
                return StorageUnavailable(reason="connection", detail=size.reason)

    async def read(self, key: str, start: int, length: int, revision: str) -> bytes | BlobMissing | StorageUnavailable:  # noqa: ARG002 - of the port
        file_id = _id_of(key)
        path = self._files.paths.get(file_id)
        if path is not None:
            with path.open("rb") as file:
                file.seek(start)
                return file.read(length)
        part = ranges(self._link(file_id) or "", start, length)
        match part:
            case bytes():
                return part
            case Gone():
                return BlobMissing(key=key)
            case NoResponse():
                return StorageUnavailable(reason="connection", detail=part.reason)

    async def save(self, key: str, chunks: AsyncIterable[bytes], content_type: str, limit: int) -> int | BlobTooLarge:  # noqa: ARG002 - of the port
        path, size = _saved(_id_of(key)), 0
        with path.open("wb") as file:
            async for chunk in chunks:
                size += file.write(chunk)
        return size if size <= limit else BlobTooLarge(key=key, limit=limit)

    def _link(self, file_id: str) -> str | None:
        if file_id not in self._links:
            self._links[file_id] = self._files.link_of(file_id)
        return self._links[file_id]


class _Told:
    """Says where a saved file is."""

    async def add(self, file: StoredFile) -> StoredFile:
        click.echo(f"saved {file.name}: {_saved(file.id)}", err=True)
        return file

    async def get(self, file_id: str, now: object) -> FileNotFound:  # noqa: ARG002 - of the port
        return FileNotFound(file_id=file_id)


def _id_of(key: str) -> str:
    return key.rpartition("/")[2]


def _saved(file_id: str) -> Path:
    folder = Path(tempfile.gettempdir()) / "headrace-files"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / file_id
