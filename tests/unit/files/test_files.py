"""Files: requested, uploaded, named in a payload, read and written by handlers."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import timedelta
from functools import cache
from typing import cast

import pytest
from pydantic import BaseModel

from domain.blobs.store import MAX_BLOB_BYTES, BlobInfo, BlobStore, BlobTooLarge
from domain.files.attempts import JobFiles
from domain.files.file import StoredFile, blob_key
from domain.files.repository import FileNotFound, FileRepository
from domain.files.service import (
    MAX_FILES,
    FileLink,
    FileNotUploaded,
    FileService,
    FileTooLarge,
    UploadRequested,
    new_file,
)
from domain.files.streams import BlobStream
from domain.jobs.catalogue import Catalogue
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import Executed
from domain.jobs.job import Failed, Job, Retrying, Succeeded, loaded
from domain.jobs.submission import Submission
from domain.jobs.submitting import InvalidPayload, SubmissionService, SubmitResult, Submitted
from domain.results import StorageUnavailable
from domain.users.user import User
from functions.runtime import now as real_now
from headrace import File, FileMissing, FileUnavailable, Handler, JobContext, JobType, SyncJobContext, job_type
from headrace.authoring.files import CHUNK_BYTES
from headrace.testing.blob_store import FakeBlobStore, StoredBlob
from headrace.testing.clock import half
from headrace.testing.file_repository import FakeFileRepository
from headrace.testing.job_repository import FakeJobRepository
from tests.conftest import new_id
from tests.factories import NOW, UserFactory
from tests.fakes.faulty_blob_store import OUTAGE, FaultyBlobStore

OWNER = UserFactory.build(id="owner-1", role="member")
STRANGER = UserFactory.build(id="owner-2", role="member")
ADMIN = UserFactory.build(id="admin-1", role="admin")
DAYS = timedelta(days=30)


class NoFiles:
    """A repository of files that does not answer."""

    async def add(self, file: StoredFile) -> StorageUnavailable:
        return OUTAGE

    async def get(self, file_id: str, now: object) -> StorageUnavailable:
        return OUTAGE


class Work(BaseModel):
    """A payload with files at any depth."""

    source: File | None = None
    more: list[File] = []
    text: str = ""


class Made(BaseModel):
    """A result with a file."""

    copy_of: File | None = None
    bytes: int = 0


class World:
    """Files, jobs and the services on them."""

    def __init__(self, blobs: BlobStore | None = None, files: FileRepository | None = None) -> None:
        self.jobs, self.stored, self.described = FakeJobRepository(), FakeBlobStore(), FakeFileRepository()
        self.blobs: BlobStore = blobs or self.stored
        self.files: FileRepository = files or self.described
        self.service = FileService(self.files, self.blobs, real_now, new_id, DAYS)
        self.of_jobs = JobFiles(self.files, self.blobs, real_now, new_id, DAYS)

    def through(self, fault: Callable[[str], StorageUnavailable | None]) -> "World":
        """The same files, seen through a store that fails."""
        other = World(FaultyBlobStore(self.stored, fault), self.described)
        other.jobs, other.stored, other.described = self.jobs, self.stored, self.described
        return other

    async def requested(self, size: int = 3, owner: User = OWNER) -> StoredFile:
        requested = await self.service.request_upload("a.csv", "text/csv", size, owner)
        assert isinstance(requested, UploadRequested)
        return requested.file

    async def uploaded(self, content: bytes = b"a,b", owner: User = OWNER) -> File:
        file = await self.requested(len(content), owner)
        self.stored.stored[blob_key(owner.id, file.id)] = StoredBlob(content, "text/csv")
        return File(id=file.id)

    async def submit(self, handler: Handler, payload: object, key: str | None = None, **fields: object) -> SubmitResult:
        service = SubmissionService(self.jobs, Catalogue([handler]), real_now, new_id, files=self.service)
        submission = Submission.model_validate({"type": handler.definition.name, "payload": payload, **fields})
        return await service.submit(submission, OWNER, key)

    async def run(self, handler: Handler, payload: object) -> Job:
        submitted = await self.submit(handler, payload)
        assert isinstance(submitted, Submitted), submitted
        return await self.execute(handler, submitted.job)

    async def execute(self, handler: Handler, job: Job) -> Job:
        executor = JobExecutor(
            self.jobs, Catalogue([handler]), real_now, new_id, half, {}, files=cache(lambda: self.of_jobs)
        )
        executed = await executor.execute(job, real_now() + timedelta(minutes=5))
        assert isinstance(executed, Executed), executed
        return executed.job


@job_type("test.copy")
async def copy(work: Work, context: JobContext) -> Made:
    """Copy a file."""
    assert work.source is not None
    stream = await context.open(work.source)
    assert (stream.size, stream.content_type) == (len(await stream.read()), "text/csv")
    again = await context.open(work.source)
    return Made(copy_of=await context.save("copy.csv", again, "text/csv"))


@job_type("test.copy_plain")
def copy_plain(work: Work, context: SyncJobContext) -> Made:
    """Copy a file in a thread."""
    assert work.source is not None
    with context.open(work.source) as source:
        return Made(copy_of=context.save("copy.csv", source, "text/csv"))


@job_type("test.nothing")
def nothing(work: Work) -> Made:
    """Do nothing."""
    return Made()


def made(job: Job) -> Made:
    assert isinstance(job.state, Succeeded), job.state
    return Made.model_validate_json(loaded(job.state.result))


def messages(result: SubmitResult) -> list[str]:
    assert isinstance(result, InvalidPayload), result
    return [flaw.message for flaw in result.flaws]


async def test_a_file_is_requested_uploaded_and_downloaded() -> None:
    world = World()
    requested = await world.service.request_upload("a.csv", "text/csv", 3, OWNER)
    assert isinstance(requested, UploadRequested)
    assert requested.link.headers == {"content-length": "3", "content-type": "text/csv"}
    file = requested.file
    assert await world.service.link(file.id, OWNER) == FileNotUploaded(file_id=file.id, why="has not been uploaded")
    world.stored.stored[blob_key(OWNER.id, file.id)] = StoredBlob(b"a,b", "text/csv")
    for reader in (OWNER, ADMIN):
        assert isinstance(await world.service.link(file.id, reader), FileLink)
    assert await world.service.link(file.id, STRANGER) == FileNotFound(file_id=file.id)
    assert await world.service.link("nothing", OWNER) == FileNotFound(file_id="nothing")


async def test_a_file_that_was_uploaded_with_another_size_is_not_given() -> None:
    world = World()
    file = await world.requested(size=5)
    world.stored.stored[blob_key(OWNER.id, file.id)] = StoredBlob(b"a,b", "text/csv")
    why = "was uploaded with 3 bytes, not with 5"
    assert await world.service.link(file.id, OWNER) == FileNotUploaded(file_id=file.id, why=why)
    refused = await world.submit(nothing, {"source": {"id": file.id}})
    assert messages(refused) == [f"the file {file.id} {why}"]


async def test_a_file_above_five_gigabytes_is_refused_before_anything_is_stored() -> None:
    world = World()
    refused = await world.service.request_upload("a.csv", "text/csv", MAX_BLOB_BYTES + 1, OWNER)
    assert refused == FileTooLarge(size=MAX_BLOB_BYTES + 1, limit=MAX_BLOB_BYTES)
    assert world.described.stored == {}


async def test_a_store_that_does_not_answer_is_told_as_a_result() -> None:
    silent = World(files=NoFiles())
    assert await silent.service.request_upload("a", "text/csv", 1, OWNER) == OUTAGE
    assert await silent.service.link("x", OWNER) == OUTAGE
    world = World()
    file = await world.uploaded()
    failing = world.through(lambda call: OUTAGE if call == "describe" else None)
    assert await failing.service.link(file.id, OWNER) == OUTAGE
    assert await failing.submit(nothing, {"source": {"id": file.id}}) == OUTAGE
    assert await silent.submit(nothing, {"source": {"id": file.id}}) == OUTAGE
    assert world.jobs.stored == ()


async def test_files_anywhere_in_a_payload_are_looked_up_when_it_is_submitted() -> None:
    world = World()
    own, foreign = await world.uploaded(), await world.uploaded(owner=STRANGER)
    waiting, unknown = await world.requested(), new_id()
    refused = await world.submit(
        nothing,
        {"source": {"id": own.id}, "more": [{"id": foreign.id}, {"id": waiting.id}, {"id": unknown}, {"id": unknown}]},
    )
    assert messages(refused) == [
        f"there is no file {foreign.id}",
        f"the file {waiting.id} has not been uploaded",
        f"there is no file {unknown}",
    ]
    assert world.jobs.stored == ()
    assert isinstance(await world.submit(nothing, {"more": [{"id": own.id}]}), Submitted)
    assert isinstance(await world.submit(nothing, {"text": own.id}), Submitted)


async def test_what_a_payload_says_of_a_file_must_be_so() -> None:
    world = World()
    file = await world.uploaded()
    for wrong in ({"size": 4}, {"name": "b.csv"}, {"content_type": "text/html"}):
        refused = await world.submit(nothing, {"source": {"id": file.id, **wrong}})
        assert messages(refused) == [f"the file {file.id} has another {next(iter(wrong))}"]
    right = {"id": file.id, "size": 3, "name": "a.csv", "content_type": "text/csv"}
    assert isinstance(await world.submit(nothing, {"source": right}), Submitted)


async def test_a_file_that_expires_before_the_job_starts_is_refused() -> None:
    world = World()
    file = await world.uploaded()
    refused = await world.submit(nothing, {"source": {"id": file.id}}, delay_seconds=DAYS.total_seconds() + 60)
    assert "before the job starts" in messages(refused)[0]
    assert isinstance(await world.submit(nothing, {"source": {"id": file.id}}, delay_seconds=60), Submitted)


async def test_a_payload_has_a_bounded_number_of_files() -> None:
    world = World()
    file = await world.uploaded()
    refused = await world.submit(nothing, {"more": [{"id": file.id}] * (MAX_FILES + 1)})
    assert messages(refused) == [f"the payload has {MAX_FILES + 1} files, the limit is {MAX_FILES}"]
    assert isinstance(await world.submit(nothing, {"more": [{"id": file.id}] * MAX_FILES}), Submitted)


async def test_a_replay_is_recognised_when_the_files_of_its_job_are_gone() -> None:
    world = World()
    file = await world.uploaded()
    payload = {"source": {"id": file.id}}
    first = await world.submit(nothing, payload, "key")
    world.described.stored.clear()
    again = await world.submit(nothing, payload, "key")
    assert isinstance(first, Submitted)
    assert again == Submitted(job=first.job, replayed=True)
    assert messages(await world.submit(nothing, payload, "another")) == [f"there is no file {file.id}"]
    assert messages(await world.submit(nothing, {**payload, "text": "x"}, "key")) == [f"there is no file {file.id}"]
    (job,) = world.jobs.stored
    world.jobs._jobs[job.id] = job.model_copy(update={"owner_id": "somebody"})
    assert messages(await world.submit(nothing, payload, "key")) == [f"there is no file {file.id}"]


async def test_without_files_a_payload_with_one_is_refused() -> None:
    service = SubmissionService(FakeJobRepository(), Catalogue([nothing]), real_now, new_id)
    submission = Submission(type="test.nothing", payload={"source": {"id": new_id()}})
    assert isinstance(await service.submit(submission, OWNER), StorageUnavailable)


@pytest.mark.parametrize("handler", [copy, copy_plain])
async def test_a_handler_reads_a_file_and_saves_another(handler: Handler) -> None:
    world, content = World(), bytes(range(256)) * 40_000
    assert len(content) > 2 * CHUNK_BYTES
    source = await world.uploaded(content)
    result = made(await world.run(handler, {"source": source.model_dump()})).copy_of
    assert result is not None
    assert (result.name, result.content_type, result.size) == ("copy.csv", "text/csv", len(content))
    assert world.stored.stored[blob_key(OWNER.id, result.id)].content == content
    described = world.described.stored[result.id]
    assert (described.owner_id, described.size) == (OWNER.id, len(content))
    assert isinstance(await world.service.link(result.id, OWNER), FileLink)


@pytest.mark.parametrize("handler", [copy, copy_plain])
async def test_a_file_that_is_gone_fails_its_job_at_once(handler: Handler) -> None:
    world = World()
    source = await world.uploaded()
    submitted = await world.submit(handler, {"source": {"id": source.id}})
    assert isinstance(submitted, Submitted)
    world.stored.stored.clear()
    failed = await world.execute(handler, submitted.job)
    assert isinstance(failed.state, Failed)
    assert (failed.state.error.code, failed.state.reason) == ("FileMissing", "permanent")
    assert source.id in failed.state.error.message


@pytest.mark.parametrize("handler", [copy, copy_plain])
@pytest.mark.parametrize("call", ["describe", "read", "save"])
async def test_while_files_cannot_be_reached_the_job_is_retried(handler: Handler, call: str) -> None:
    world = World()
    source = await world.uploaded()
    submitted = await world.submit(handler, {"source": {"id": source.id}})
    assert isinstance(submitted, Submitted)
    failing = world.through(lambda made: OUTAGE if made == call else None)
    retrying = await failing.execute(handler, submitted.job)
    assert isinstance(retrying.state, Retrying)
    assert retrying.state.error.code == "FileUnavailable"


async def test_a_saved_file_without_a_description_is_told_to_the_handler() -> None:
    files = JobFiles(NoFiles(), FakeBlobStore(), real_now, new_id, DAYS)
    with pytest.raises(FileUnavailable):
        await files.save("owner-1", "a", b"x", "text/plain")


async def test_a_file_that_was_written_again_while_it_was_read_is_missing() -> None:
    world = World()
    file = await world.uploaded(b"x" * (CHUNK_BYTES + 1))
    stream = await world.of_jobs.open(OWNER.id, file)
    assert len(await stream.read(CHUNK_BYTES)) == CHUNK_BYTES
    world.stored.stored[blob_key(OWNER.id, file.id)] = StoredBlob(b"y" * (CHUNK_BYTES + 1), "text/csv")
    with pytest.raises(FileMissing, match="written again"):
        await stream.read()


async def test_another_tenants_file_cannot_be_opened_whatever_a_handler_does() -> None:
    world = World()
    foreign = await world.uploaded(owner=STRANGER)

    @job_type("test.sneak")
    async def sneak(work: Work, context: JobContext) -> Made:
        """Open a file that the payload does not name as one."""
        await context.open(File(id=work.text))
        return Made()

    failed = await world.run(sneak, {"text": foreign.id})
    assert isinstance(failed.state, Failed)
    assert failed.state.error.code == "FileMissing"


async def test_a_file_above_the_limit_is_not_saved() -> None:
    class Full(FakeBlobStore):
        async def save(self, key: str, chunks: object, content_type: str, limit: int) -> BlobTooLarge:
            return BlobTooLarge(key=key, limit=limit)

    world = World(blobs=Full())
    failed = await world.run(saving(lambda: b"x"), {})
    assert isinstance(failed.state, Failed)
    assert failed.state.error.code == "FileTooLarge"


def saving(content: Callable[[], object]) -> Handler:
    """A plain handler that saves this content."""

    @job_type("test.save")
    def save(work: Work, context: SyncJobContext) -> Made:
        """Save a file."""
        return Made(copy_of=context.save("a", content()))  # type: ignore[arg-type]  # as the test has it

    return save


async def saved(world: World, content: Callable[[], object]) -> bytes:
    result = made(await world.run(saving(content), {})).copy_of
    assert result is not None
    return world.stored.stored[blob_key(OWNER.id, result.id)].content


async def test_bytes_files_and_generators_can_be_saved() -> None:
    world = World()
    assert await saved(world, lambda: b"abc") == b"abc"
    assert await saved(world, lambda: bytearray(b"abc")) == b"abc"
    assert await saved(world, lambda: io.BytesIO(b"abc")) == b"abc"
    assert await saved(world, lambda: (line for line in (b"a", b"", b"bc"))) == b"abc"
    assert await saved(world, list) == b""
    large = [b"x" * 1000] * 9000
    assert await saved(world, lambda: iter(large)) == b"".join(large)


async def test_an_async_handler_saves_an_async_generator_and_plain_bytes() -> None:
    world = World()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"c"

    for content in (chunks(), b"abc", [b"a", b"bc"]):
        file = await world.of_jobs.save(OWNER.id, "a", content, "text/plain")
        assert world.stored.stored[blob_key(OWNER.id, file.id)].content == b"abc"


async def test_what_a_generator_raises_is_the_jobs_failure_and_nothing_is_saved() -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * (CHUNK_BYTES + 1)
        raise ZeroDivisionError("the handler's own")

    world = World()
    retrying = await world.run(saving(broken), {})
    assert isinstance(retrying.state, Retrying)
    assert retrying.state.error.code == "ZeroDivisionError"
    assert world.stored.stored == {}


async def test_a_name_that_cannot_be_stored_is_made_so() -> None:
    world = World()
    file = await world.of_jobs.save(OWNER.id, f"caf\udce9{'x' * 300}", b"", "text/plain")
    assert file.name is not None
    assert (file.name[:4], len(file.name)) == ("caf\ufffd", 200)


async def test_a_plain_handler_can_seek_so_that_archives_and_images_can_be_read() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("one.txt", "1" * 100)
        archive.writestr("two.txt", "2" * 200)

    @job_type("test.unpack")
    def unpack(work: Work, context: SyncJobContext) -> Made:
        """Read an archive."""
        assert work.source is not None
        with context.open(work.source) as file, zipfile.ZipFile(file) as archive:
            size = sum(len(archive.read(name)) for name in archive.namelist())
            file.seek(-1, io.SEEK_END)
            assert file.tell() == len(packed.getvalue()) - 1
            file.seek(2, io.SEEK_CUR)
            assert file.read() == b""
            with pytest.raises(ValueError, match="before the start"):
                file.raw.seek(-1)  # type: ignore[attr-defined]  # of io.BufferedReader
        return Made(bytes=size)

    world = World()
    source = await world.uploaded(packed.getvalue())
    assert made(await world.run(unpack, {"source": {"id": source.id}})).bytes == 300


class Later:
    """A plain method that returns something to await: on the loop, files are awaited too."""

    definition = JobType[Work, Made](name="test.later", summary="Copy later", payload=Work, result=Made)

    def run(self, work: Work, context: JobContext) -> Coroutine[None, None, Made]:
        async def work_on_loop() -> Made:
            assert work.source is not None
            stream = await context.open(work.source)
            return Made(copy_of=await context.save("a", await stream.read()))

        return work_on_loop()


async def test_a_plain_function_that_returns_work_for_the_loop_has_files_there_too() -> None:
    world, handler = World(), cast("Handler", Later())
    source = await world.uploaded(b"abc")
    result = made(await world.run(handler, {"source": {"id": source.id}})).copy_of
    assert result is not None
    assert result.size == 3


async def test_after_the_attempts_end_its_thread_gets_no_file() -> None:
    outcome: list[BaseException] = []
    released = asyncio.Event()
    loop = asyncio.get_running_loop()

    @job_type("test.late", timeout=timedelta(milliseconds=200), max_attempts=1)
    def late(work: Work, context: SyncJobContext) -> Made:
        """Continue after the end."""
        assert work.source is not None
        asyncio.run_coroutine_threadsafe(released.wait(), loop).result()
        for call in (lambda: context.open(File(id=new_id())), lambda: context.save("a", b"")):
            try:
                call()
            except FileUnavailable as error:
                outcome.append(error)
        return Made()

    world = World()
    source = await world.uploaded()
    ended = await world.run(late, {"source": {"id": source.id}})
    assert ended.status == "failed"
    released.set()
    for _ in range(100):
        await asyncio.sleep(0.01)
        if len(outcome) == 2:
            break
    assert [str(error) for error in outcome] == ["the attempt has ended"] * 2


async def test_where_there_are_no_files_a_handler_is_told() -> None:
    @job_type("test.open")
    async def opens(work: Work, context: JobContext) -> Made:
        """Open a file."""
        await context.open(File(id=new_id()))
        return Made()

    world = World()
    submitted = await world.submit(opens, {})
    assert isinstance(submitted, Submitted)
    executor = JobExecutor(world.jobs, Catalogue([opens]), real_now, new_id, half, {})
    executed = await executor.execute(submitted.job, real_now() + timedelta(minutes=5))
    assert isinstance(executed, Executed)
    assert isinstance(executed.job.state, Retrying)


async def test_a_stream_gives_its_chunks_and_then_nothing() -> None:
    world = World()
    file = await world.uploaded(b"x" * (CHUNK_BYTES + 3))
    stream = await world.of_jobs.open(OWNER.id, file)
    assert [len(await stream.read(2)), len(await stream.read(1))] == [2, 1]
    assert [len(chunk) async for chunk in stream] == [CHUNK_BYTES]
    assert await stream.read() == b""
    info = BlobInfo(size=0, content_type="text/csv", revision="1")
    assert await BlobStream(FakeBlobStore(), "key", info, "id").read() == b""
    assert await stream.read_at(CHUNK_BYTES, 100) == b"xxx"


def test_a_file_expires_on_a_whole_second() -> None:
    file = new_file("id", "owner", "a", "text/csv", 1, NOW, DAYS)
    assert file.expires_at == (NOW + DAYS).replace(microsecond=0)
