"""The conformance suite of `BlobStore`, for the fake, moto's server and MiniStack."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from aiohttp import web

from domain.blobs.store import BlobInfo, BlobMissing, BlobStore, BlobTooLarge
from domain.results import StorageUnavailable
from functions.runtime import LazyS3
from headrace.testing.blob_store import FakeBlobStore
from persistence.s3.blob_store import S3BlobStore
from persistence.s3.parts import PART_BYTES, in_parts
from tests.conftest import BUCKET, new_id
from tests.serving import serving

MINUTE = timedelta(minutes=1)


@pytest.fixture(params=["fake", "moto", "ministack"])
def blobs(request: pytest.FixtureRequest) -> BlobStore:
    if request.param == "fake":
        return FakeBlobStore()
    client = request.getfixturevalue(f"{request.param}_s3")
    return S3BlobStore(client, BUCKET)


@pytest.fixture
def on_s3(ministack_s3: LazyS3) -> S3BlobStore:
    return S3BlobStore(ministack_s3, BUCKET)


@pytest.fixture
def key() -> str:
    return f"tests/{new_id()}"


async def in_chunks(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def described(blobs: BlobStore, key: str) -> BlobInfo:
    found = await blobs.describe(key)
    assert isinstance(found, BlobInfo), found
    return found


async def test_a_blob_comes_back_as_it_was_put(blobs: BlobStore, key: str) -> None:
    content = bytes(range(256)) * 5
    assert await blobs.put(key, content, "application/json") is None
    assert await blobs.get(key, len(content)) == content
    found = await described(blobs, key)
    assert (found.size, found.content_type) == (1280, "application/json")


async def test_an_empty_blob_is_a_blob(blobs: BlobStore, key: str) -> None:
    await blobs.put(key, b"", "text/plain")
    assert await blobs.get(key, 0) == b""


async def test_a_blob_that_is_put_again_is_replaced(blobs: BlobStore, key: str) -> None:
    await blobs.put(key, b"one", "text/plain")
    await blobs.put(key, b"other", "text/plain")
    assert await blobs.get(key, 10) == b"other"


async def test_what_was_never_put_is_missing(blobs: BlobStore, key: str) -> None:
    assert await blobs.get(key, 10) == BlobMissing(key=key)
    assert await blobs.describe(key) == BlobMissing(key=key)
    assert await blobs.read(key, 0, 1, '"revision"') == BlobMissing(key=key)


async def test_a_blob_above_the_limit_is_not_read(blobs: BlobStore, key: str) -> None:
    await blobs.put(key, b"four", "text/plain")
    assert await blobs.get(key, 3) == BlobTooLarge(key=key, limit=3)


async def test_a_part_of_a_blob_can_be_read(blobs: BlobStore, key: str) -> None:
    await blobs.put(key, b"0123456789", "text/plain")
    revision = (await described(blobs, key)).revision
    assert await blobs.read(key, 3, 4, revision) == b"3456"
    assert await blobs.read(key, 8, 100, revision) == b"89"


async def test_a_blob_that_was_written_again_is_not_read_under_its_old_revision(blobs: BlobStore, key: str) -> None:
    await blobs.put(key, b"one", "text/plain")
    revision = (await described(blobs, key)).revision
    await blobs.put(key, b"two", "text/plain")
    assert await blobs.read(key, 0, 3, revision) == BlobMissing(key=key)


async def test_deleted_blobs_are_missing_and_deleting_is_idempotent(blobs: BlobStore, key: str) -> None:
    await blobs.put(key, b"one", "text/plain")
    for _ in range(2):
        assert await blobs.delete((key, f"{key}-never")) is None
    assert await blobs.get(key, 10) == BlobMissing(key=key)
    assert await blobs.delete(()) is None


async def test_chunks_are_saved_as_one_blob(blobs: BlobStore, key: str) -> None:
    assert await blobs.save(key, in_chunks(b"ab", b"", b"c"), "text/csv", 3) == 3
    assert await blobs.get(key, 10) == b"abc"
    assert (await described(blobs, key)).content_type == "text/csv"


async def test_no_chunks_are_an_empty_blob(blobs: BlobStore, key: str) -> None:
    assert await blobs.save(key, in_chunks(), "text/csv", 3) == 0
    assert await blobs.get(key, 10) == b""


async def test_a_stream_of_several_parts_is_saved_whole(blobs: BlobStore, key: str) -> None:
    chunk = bytes(range(256)) * 12_000
    chunks = [chunk] * 6
    assert sum(map(len, chunks)) > 2 * PART_BYTES
    size = await blobs.save(key, in_chunks(*chunks), "text/csv", 10**9)
    assert size == sum(map(len, chunks))
    found = await described(blobs, key)
    assert (found.size, found.content_type) == (size, "text/csv")
    assert await blobs.read(key, size - 5, 9, found.revision) == chunk[-5:]


@pytest.mark.parametrize("size", [4, PART_BYTES + 4])
async def test_a_stream_above_the_limit_stores_nothing(blobs: BlobStore, key: str, size: int) -> None:
    saved = await blobs.save(key, in_chunks(b"x" * size), "text/csv", size - 1)
    assert saved == BlobTooLarge(key=key, limit=size - 1)
    assert await blobs.describe(key) == BlobMissing(key=key)


@pytest.mark.parametrize("size", [4, PART_BYTES + 4])
async def test_a_stream_that_raises_stores_nothing_and_raises(blobs: BlobStore, key: str, size: int) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * size
        raise TimeoutError("the caller's own")

    with pytest.raises(TimeoutError, match="own"):
        await blobs.save(key, broken(), "text/csv", 10**9)
    assert await blobs.describe(key) == BlobMissing(key=key)


async def test_an_upload_link_writes_the_blob(on_s3: S3BlobStore, key: str) -> None:
    link = await on_s3.upload_link(key, 3, "text/csv", MINUTE)
    async with httpx.AsyncClient() as client:
        sent = await client.request(link.method, link.url, content=b"a,b", headers=link.headers)
    assert sent.status_code == 200, sent.text
    found = await described(on_s3, key)
    assert (found.size, found.content_type) == (3, "text/csv")


@pytest.mark.parametrize(
    ("content", "headers"),
    [(b"a,b,c", {"content-length": "5"}), (b"a,b", {"content-type": "text/html"})],
    ids=["another size", "another type"],
)
async def test_an_upload_link_binds_size_and_type(
    on_s3: S3BlobStore, key: str, content: bytes, headers: dict[str, str]
) -> None:
    link = await on_s3.upload_link(key, 3, "text/csv", MINUTE)
    async with httpx.AsyncClient() as client:
        sent = await client.request(link.method, link.url, content=content, headers={**link.headers, **headers})
    assert sent.status_code == 403
    assert await on_s3.describe(key) == BlobMissing(key=key)


async def test_an_expired_link_is_refused(on_s3: S3BlobStore, key: str) -> None:
    link = await on_s3.upload_link(key, 3, "text/csv", timedelta(seconds=-1))
    async with httpx.AsyncClient() as client:
        sent = await client.request(link.method, link.url, content=b"a,b", headers=link.headers)
    assert sent.status_code in {400, 403}
    assert await on_s3.describe(key) == BlobMissing(key=key)


async def test_a_download_link_has_the_blob_saved_under_its_name(on_s3: S3BlobStore, key: str) -> None:
    await on_s3.put(key, b"a,b", "text/html")
    link = await on_s3.download_link(key, "résumé.csv", "text/csv", MINUTE)
    async with httpx.AsyncClient() as client:
        got = await client.get(link)
    assert (got.status_code, got.content) == (200, b"a,b")
    assert got.headers["content-type"] == "text/csv"
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''r%C3%A9sum%C3%A9.csv"


async def test_a_store_that_does_not_answer_is_told_as_a_result(key: str) -> None:
    nowhere = LazyS3("http://127.0.0.1:9")
    blobs = S3BlobStore(nowhere, BUCKET)
    try:
        # At once: each pauses between its tries.
        for answer in await asyncio.gather(
            blobs.put(key, b"", "text/plain"),
            blobs.get(key, 1),
            blobs.describe(key),
            blobs.read(key, 0, 1, "r"),
            blobs.delete((key,)),
            blobs.save(key, in_chunks(b"x" * PART_BYTES), "text/plain", 10**9),
        ):
            assert isinstance(answer, StorageUnavailable)
            assert answer.reason == "connection"
    finally:
        await nowhere.close()


@pytest.mark.parametrize(("limit", "answer"), [(8, b"in parts"), (7, BlobTooLarge(key="a", limit=7))])
async def test_an_answer_in_chunks_without_its_length_is_read(limit: int, answer: bytes | BlobTooLarge) -> None:
    """A proxy between may send it so; microburst does."""

    async def chunked(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"ETag": '"1"'})
        response.enable_chunked_encoding()
        await response.prepare(request)
        for part in () if request.method == "HEAD" else (b"in ", b"parts"):
            await response.write(part)
        await response.write_eof()
        return response

    with serving(chunked) as url:
        client = LazyS3(url)
        blobs = S3BlobStore(client, BUCKET)
        found, described = await blobs.get("a", limit), await blobs.describe("a")
        await client.close()
    assert found == answer
    assert isinstance(described, StorageUnavailable)


@pytest.mark.parametrize("length", [None, 100])
async def test_an_answer_that_breaks_off_is_told_as_a_result(length: int | None) -> None:
    async def breaking(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"ETag": '"1"'})
        if length is None:
            response.enable_chunked_encoding()
        response.content_length = length
        await response.prepare(request)
        await response.write(b"the first half")
        assert request.transport is not None
        request.transport.close()
        return response

    with serving(breaking) as url:
        client = LazyS3(url)
        blobs = S3BlobStore(client, BUCKET)
        answers = await blobs.get("a", 1000), await blobs.read("a", 0, 100, "r")
        await client.close()
    for answer in answers:
        assert isinstance(answer, StorageUnavailable)
        assert answer.reason == "connection"


async def test_a_bucket_that_is_not_there_is_a_rejection_not_a_missing_blob(ministack_s3: LazyS3, key: str) -> None:
    found = await S3BlobStore(ministack_s3, "no-such-bucket").get(key, 1)
    assert isinstance(found, StorageUnavailable)
    assert found.reason == "rejected"


@pytest.mark.parametrize("size", [1, 3, 7, 100])
async def test_parts_are_of_one_size_but_for_the_last(size: int) -> None:
    chunks = [b"abc", b"", b"defghijk", b"l"]
    parts = [part async for part in in_parts(in_chunks(*chunks), size)]
    assert b"".join(parts) == b"abcdefghijkl"
    assert all(len(part) == size for part in parts[:-1])
    assert 0 < len(parts[-1]) <= size
