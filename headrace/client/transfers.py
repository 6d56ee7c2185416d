"""Uploads and downloads by the links that the API gives: past the API, and without its token."""

import re
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import unquote

import httpx
from pydantic import BaseModel

from headrace.client.failures import Refusal, Unreachable

CHUNK_BYTES = 1024 * 1024
TIMEOUT_SECONDS = 60.0
"""Without a byte sent or received."""

_CODE = re.compile(rb"<Code>([^<]*)</Code>.*?(?:<Message>([^<]*)</Message>|$)", re.DOTALL)
_NAME = re.compile(r"filename\*=UTF-8''([^;]+)")


class UploadLink(BaseModel):
    """The request that uploads a file."""

    method: str
    url: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Received:
    """A download has been written."""

    size: int
    name: str | None
    """What the file is called, if the response says it."""


def send(link: UploadLink, content: BinaryIO) -> Refusal | Unreachable | None:
    """Upload the content, a chunk at a time; None when it is stored."""
    chunks = iter(lambda: content.read(CHUNK_BYTES), b"")  # with the length that the headers give
    try:
        with _client(link.url) as client:
            response = client.request(link.method, link.url, content=chunks, headers=link.headers)
    except httpx.HTTPError as error:
        return Unreachable(url=_place(link.url), reason=str(error) or type(error).__name__)
    return None if response.is_success else _refusal(response.status_code, response.content)


def receive(url: str, sink: BinaryIO) -> Received | Refusal | Unreachable:
    """Download into `sink`, a chunk at a time."""
    try:
        with _client(url) as client, client.stream("GET", url) as response:
            if not response.is_success:
                return _refusal(response.status_code, response.read())
            size = sum(sink.write(chunk) for chunk in response.iter_bytes(CHUNK_BYTES))
            named = _NAME.search(response.headers.get("content-disposition", ""))
            return Received(size, unquote(named[1]) if named else None)
    except httpx.HTTPError as error:
        return Unreachable(url=_place(url), reason=str(error) or type(error).__name__)


def ranges(url: str, start: int, length: int) -> bytes | Refusal | Unreachable:
    """A part of what the link leads to."""
    try:
        with _client(url) as client:
            response = client.get(url, headers={"range": f"bytes={start}-{start + length - 1}"})
    except httpx.HTTPError as error:
        return Unreachable(url=_place(url), reason=str(error) or type(error).__name__)
    return response.content if response.is_success else _refusal(response.status_code, response.content)


def size_of(url: str) -> int | Refusal | Unreachable:
    """How many bytes the link leads to. It is signed for GET alone, so that the body is begun and left."""
    try:
        with _client(url) as client, client.stream("GET", url) as response:
            if not response.is_success:
                return _refusal(response.status_code, response.read())
            return int(response.headers.get("content-length", "0"))
    except httpx.HTTPError as error:
        return Unreachable(url=_place(url), reason=str(error) or type(error).__name__)


def _client(url: str) -> httpx.Client:
    # Loading the CA certificates takes longer than most transfers here, and plain HTTP needs none.
    return httpx.Client(timeout=TIMEOUT_SECONDS, verify=not url.lower().startswith("http:"))


def _place(url: str) -> str:
    """Without the signature, which is a secret."""
    return url.partition("?")[0]


def _refusal(status: int, body: bytes) -> Refusal:
    """S3's refusal, whose code says whether the link has expired (`AccessDenied`) or the content is another."""
    found = _CODE.search(body[:4096])
    code, message = (part.decode(errors="replace") for part in (found[1], found[2] or b"")) if found else ("", "")
    return Refusal(status=status, code=code or str(status), detail=message or "the store of files refuses it")
