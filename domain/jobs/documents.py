"""Keeps large payloads and results among the blobs, so that a job is not written three times with all of them.

A blob is written before the item that refers to it, and deleted after the item. What a crash in between leaves over is
removed by the bucket's lifecycle. Every write has a key of its own: nothing that comes late overwrites what is in use.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Literal

from domain.blobs.store import BlobInfo, BlobMissing, BlobStore, BlobTooLarge
from domain.jobs.job import BlobRef, Job, JobDocument, documents_of
from domain.ports import NewId
from domain.results import StorageUnavailable
from headrace.authoring.frozen import Frozen
from headrace.authoring.json_text import JsonText, byte_length

SPILL_BYTES = 8 * 1024
"""Documents above this many bytes of JSON become blobs: docs/cost.md has the measurements."""

ANSWER_BYTES = 5_000_000
"""Of the documents that an answer brings along, as they are written there. Lambda answers at most 6 MB."""

ANSWER_TIME = timedelta(seconds=4)
"""What a read waits for its documents: after the longest long poll, within the function's own timeout."""

QUOTES = 2
"""Bytes that a document is longer by in an answer, at the least: it is a string there."""

LINK_LIFETIME = timedelta(minutes=15)

Name = Literal["payload", "result"]
AnyName = Name | Literal["step", "signal"]
"""Also of what a job remembers (`domain/durable`)."""

_CONTENT_TYPE = "application/json"


class DocumentLost(Frozen):
    """The job refers to a document that is not there, or is not what was stored: nothing can bring it back."""

    name: AnyName
    why: Literal["missing", "damaged"]

    @property
    def code(self) -> str:
        """Of the error that a job fails with."""
        return f"{self.name}_{self.why}"

    @property
    def message(self) -> str:
        """In words for the job's owner."""
        if self.why == "missing":
            return f"the {self.name} is not in the blob bucket any more"
        return f"the {self.name} in the blob bucket is not what was stored: its size or digest differs"


class NoSuchDocument(Frozen):
    """The job has no such document: it has not succeeded."""

    job_id: str


class DocumentLink(Frozen):
    """A URL from which anybody can read a document, for `LINK_LIFETIME`."""

    url: str


class Documents:
    """Stores and loads documents. Without a store of blobs every document stays in its item."""

    def __init__(self, blobs: BlobStore | None = None, spill_bytes: int = SPILL_BYTES) -> None:
        self._blobs = blobs
        self._spill_bytes = spill_bytes

    async def keep(
        self, job_id: str, name: AnyName, unique: NewId, document: JsonText
    ) -> JobDocument | StorageUnavailable:
        """The document as a job may hold it: itself if it is small, else a reference to the blob that it now is.

        `unique` gives what distinguishes this write from every other of the job's.
        """
        if self._blobs is None or byte_length(document) <= self._spill_bytes:
            return document
        content = document.encode()
        ref = BlobRef(
            key=f"jobs/{job_id}/{name}-{unique()}", size=len(content), sha256=hashlib.sha256(content).hexdigest()
        )
        return await self._blobs.put(ref.key, content, _CONTENT_TYPE) or ref

    async def load(self, name: AnyName, document: JobDocument) -> JsonText | DocumentLost | StorageUnavailable:
        """The whole document; only what is a reference is read."""
        if isinstance(document, str):
            return document
        content = await self._store().get(document.key, document.size)
        match content:
            case BlobMissing():
                return DocumentLost(name=name, why="missing")
            case BlobTooLarge():
                return DocumentLost(name=name, why="damaged")
            case StorageUnavailable():
                return content
            case bytes():
                if hashlib.sha256(content).hexdigest() != document.sha256:
                    return DocumentLost(name=name, why="damaged")
                return JsonText(content.decode())

    async def with_payload(self, job: Job) -> Job | DocumentLost | StorageUnavailable:
        """The job with its payload at hand, for its handler. It is not what is stored."""
        if not isinstance(job.payload, BlobRef):
            return job
        payload = await self.load("payload", job.payload)
        return job.model_copy(update={"payload": payload}) if isinstance(payload, str) else payload

    async def for_answer(self, job: Job) -> Mapping[Name, JsonText]:
        """The documents among the blobs that fit into an answer, the result before the payload.

        One that is lost, or cannot be read within `ANSWER_TIME`, is left out: the job itself can be shown.
        """
        found: dict[Name, JsonText] = {}
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_TIME.total_seconds()):
                await self._fill(found, job)
        return found

    async def _fill(self, found: dict[Name, JsonText], job: Job) -> None:
        left = ANSWER_BYTES
        for name, document in reversed(documents_of(job).items()):
            if isinstance(document, BlobRef) and document.size + QUOTES <= left:
                text = await self.load(name, document)
                written = len(json.dumps(text)) if isinstance(text, str) else 0
                if isinstance(text, str) and written <= left:
                    found[name] = text
                    left -= written

    async def link(
        self, job: Job, name: Name
    ) -> DocumentLink | JsonText | DocumentLost | NoSuchDocument | StorageUnavailable:
        """A link to the document among the blobs, or the document itself if the job holds it."""
        document = documents_of(job).get(name)
        if document is None:
            return NoSuchDocument(job_id=job.id)
        if not isinstance(document, BlobRef):
            return document
        found = await self._store().describe(document.key)
        match found:
            case BlobMissing():
                return DocumentLost(name=name, why="missing")
            case BlobInfo(size=size) if size != document.size:
                return DocumentLost(name=name, why="damaged")
            case BlobInfo():
                saved_as = f"{job.id}-{name}.json"
                url = await self._store().download_link(document.key, saved_as, _CONTENT_TYPE, LINK_LIFETIME)
                return DocumentLink(url=url)
            case StorageUnavailable():
                return found

    async def discard(self, *documents: JobDocument) -> StorageUnavailable | None:
        """Delete the blobs of documents that no job refers to (any more)."""
        keys = tuple(document.key for document in documents if isinstance(document, BlobRef))
        return await self._store().delete(keys) if keys else None

    async def remove(self, job: Job) -> StorageUnavailable | None:
        """Delete the blobs of a job that was deleted. Again is no failure."""
        return await self.discard(*documents_of(job).values())

    def _store(self) -> BlobStore:
        if self._blobs is None:
            raise TypeError("there is no store of blobs, and yet a job refers to one")
        return self._blobs
