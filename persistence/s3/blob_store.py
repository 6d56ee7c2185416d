"""Blobs as objects of one S3 bucket."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from botocore.exceptions import ClientError

from domain.blobs.store import BlobInfo, BlobMissing, BlobTooLarge, UploadLink
from domain.results import StorageUnavailable
from persistence.dynamodb.client import STORAGE_ERRORS, as_result
from persistence.s3.parts import PART_BYTES, in_parts

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Awaitable
    from datetime import timedelta

    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef

    from persistence.s3.client import S3ClientSource

T = TypeVar("T")

CHUNK_BYTES = 1024**2
"""Read at a time."""

_MISSING = frozenset({"NoSuchKey", "404", "NotFound", "PreconditionFailed", "412"})


class S3BlobStore:
    """The `BlobStore` on a bucket and a client for it, which is made when a blob is read or written."""

    def __init__(self, client: S3ClientSource, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    async def put(self, key: str, content: bytes, content_type: str) -> StorageUnavailable | None:
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        try:
            await (await self._client()).put_object(
                Bucket=self._bucket, Key=key, Body=content, ContentType=content_type, ChecksumSHA256=digest
            )
        except STORAGE_ERRORS as error:
            return as_result(error)
        return None

    async def get(self, key: str, limit: int) -> bytes | BlobMissing | BlobTooLarge | StorageUnavailable:
        try:
            answer = await (await self._client()).get_object(Bucket=self._bucket, Key=key)
            body, content = answer["Body"], bytearray()
            # Counted, not asked for: what stands between may send the body in chunks, without its length.
            async for chunk in body.iter_chunks(CHUNK_BYTES):
                content += chunk
                if len(content) > limit:
                    body.close()
                    return BlobTooLarge(key=key, limit=limit)
            return bytes(content)
        except STORAGE_ERRORS as error:
            return _result(key, error)

    async def describe(self, key: str) -> BlobInfo | BlobMissing | StorageUnavailable:
        try:
            found = await (await self._client()).head_object(Bucket=self._bucket, Key=key)
        except STORAGE_ERRORS as error:
            return _result(key, error)
        if "ContentLength" not in found:
            return StorageUnavailable(reason="server", detail="the answer to HEAD has no Content-Length")
        return BlobInfo(
            size=found["ContentLength"],
            content_type=found.get("ContentType", "application/octet-stream"),
            revision=found["ETag"],
        )

    async def read(self, key: str, start: int, length: int, revision: str) -> bytes | BlobMissing | StorageUnavailable:
        # One request for each part: a connection that breaks costs a part, and none is open while the caller works.
        place = f"bytes={start}-{start + length - 1}"
        try:
            client = await self._client()
            answer = await client.get_object(Bucket=self._bucket, Key=key, Range=place, IfMatch=revision)
            return await answer["Body"].read()
        except STORAGE_ERRORS as error:
            return _result(key, error)

    async def save(
        self, key: str, chunks: AsyncIterable[bytes], content_type: str, limit: int
    ) -> int | BlobTooLarge | StorageUnavailable:
        parts = in_parts(chunks)
        first = await anext(parts, b"")
        if len(first) > limit:
            return BlobTooLarge(key=key, limit=limit)
        if len(first) < PART_BYTES:
            return await self.put(key, first, content_type) or len(first)
        return await self._multipart(key, first, parts, content_type, limit)

    async def _multipart(
        self, key: str, first: bytes, rest: AsyncIterator[bytes], content_type: str, limit: int
    ) -> int | BlobTooLarge | StorageUnavailable:
        client = await self._client()
        begun = await _called(client.create_multipart_upload(Bucket=self._bucket, Key=key, ContentType=content_type))
        if isinstance(begun, StorageUnavailable):
            return begun
        upload, whole = begun["UploadId"], False
        try:
            sent = await self._send_parts(key, upload, first, rest, limit)
            if not isinstance(sent, _Sent):
                return sent
            completed = await _called(
                client.complete_multipart_upload(
                    Bucket=self._bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": sent.parts}
                )
            )
            whole = not isinstance(completed, StorageUnavailable)
            return sent.size if not isinstance(completed, StorageUnavailable) else completed
        finally:
            if not whole:
                await _called(client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload))

    async def _send_parts(
        self, key: str, upload: str, first: bytes, rest: AsyncIterator[bytes], limit: int
    ) -> _Sent | BlobTooLarge | StorageUnavailable:
        client, part, sent = await self._client(), first, _Sent()
        while part:
            if sent.size + len(part) > limit:
                return BlobTooLarge(key=key, limit=limit)
            number = len(sent.parts) + 1
            answer = await _called(
                client.upload_part(Bucket=self._bucket, Key=key, UploadId=upload, PartNumber=number, Body=part)
            )
            if isinstance(answer, StorageUnavailable):
                return answer
            sent = _Sent(sent.size + len(part), (*sent.parts, {"PartNumber": number, "ETag": answer["ETag"]}))
            part = await anext(rest, b"")
        return sent

    async def delete(self, keys: tuple[str, ...]) -> StorageUnavailable | None:
        if not keys:
            return None
        try:
            answer = await (await self._client()).delete_objects(
                Bucket=self._bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
            )
        except STORAGE_ERRORS as error:
            return as_result(error)
        errors = answer.get("Errors", [])
        return StorageUnavailable(reason="server", detail=errors[0].get("Code", "unknown")) if errors else None

    async def upload_link(self, key: str, size: int, content_type: str, lifetime: timedelta) -> UploadLink:
        url = await (await self._client()).generate_presigned_url(
            "put_object",
            Params={"Bucket": self._bucket, "Key": key, "ContentLength": size, "ContentType": content_type},
            ExpiresIn=int(lifetime.total_seconds()),
        )
        # Both headers are signed: S3 refuses a body of another size, and another type.
        headers = {"content-length": str(size), "content-type": content_type}
        return UploadLink(method="PUT", url=url, headers=headers)

    async def download_link(self, key: str, name: str | None, content_type: str, lifetime: timedelta) -> str:
        # Never shown in the bucket's origin: a document from outside could be a page with a script.
        saved = f"attachment; filename*=UTF-8''{quote(name, safe='')}" if name else "attachment"
        return await (await self._client()).generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket,
                "Key": key,
                "ResponseContentDisposition": saved,
                "ResponseContentType": content_type,
            },
            ExpiresIn=int(lifetime.total_seconds()),
        )


@dataclass(frozen=True)
class _Sent:
    """What has been uploaded of a blob."""

    size: int = 0
    parts: tuple[CompletedPartTypeDef, ...] = ()


async def _called(call: Awaitable[T]) -> T | StorageUnavailable:
    """The answer of one call: what the caller's own chunks raise is not a failure of the store."""
    try:
        return await call
    except STORAGE_ERRORS as error:
        return as_result(error)


def _result(key: str, error: Exception) -> BlobMissing | StorageUnavailable:
    if isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") in _MISSING:
        return BlobMissing(key=key)
    return as_result(error)
