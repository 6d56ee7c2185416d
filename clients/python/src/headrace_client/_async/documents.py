"""Documents and files: by links that lead past the API, which never get its token."""

import io
import mimetypes
import os
import re
import tempfile
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from headrace_client._async.sending import AsyncSender
from headrace_client.errors import NotHeadrace, refusal
from headrace_client.json_values import JsonObject, JsonValue, parsed, take, written
from headrace_client.messages import Reply, Request, link_of, path_segment, read_as, store_problem, value_of
from headrace_client.models import Downloaded, File, UploadLink

UNKNOWN_TYPE = "application/octet-stream"
_NAME = re.compile(r"filename\*=UTF-8''([^;]+)")


class AsyncDocuments:
    """Reads documents, uploads and downloads files."""

    def __init__(self, sender: AsyncSender) -> None:
        self._sender = sender

    async def document(self, path: str) -> JsonValue:
        """A payload or result; a small one is the response itself."""
        reply = await self._sender.send(Request("GET", path))
        link = link_of(reply)
        if link is None:
            return value_of(reply)
        content = io.BytesIO()
        stored = _stored(await self._sender.fetch(link, content))
        try:
            return parsed(content.getvalue())
        except ValueError as error:
            raise NotHeadrace(stored.url, "a document that is not JSON") from error

    async def upload(self, source: Path | BinaryIO, name: str | None, content_type: str | None) -> File:
        """Upload from a path, or from where an open file stands to its end."""
        if isinstance(source, Path):
            with source.open("rb") as content:
                kind = content_type or mimetypes.guess_type(source.name)[0]
                return await self.upload(content, name or source.name, kind)
        start = source.tell()
        size = source.seek(0, os.SEEK_END) - start
        source.seek(start)
        called = name or Path(str(getattr(source, "name", ""))).name or "file"
        kind = content_type or mimetypes.guess_type(called)[0] or UNKNOWN_TYPE
        described = written({"name": called, "content_type": kind, "size": size})
        created = await self._sender.send(Request("POST", "/files", body=described))
        file, link = read_as("file", _requested, created)
        _stored(await self._sender.put(link, source))
        return file

    async def download(self, file_id: str, into: Path | BinaryIO) -> Downloaded:
        """Download into an open file, or to a path: beside it first, and moved there when it is complete."""
        if not isinstance(into, Path):
            return await self._fetched(file_id, into)
        descriptor, temporary = tempfile.mkstemp(dir=into.parent, prefix=".headrace-")
        try:
            with os.fdopen(descriptor, "wb") as sink:
                done = await self._fetched(file_id, sink)
            Path(temporary).replace(into)
        finally:
            Path(temporary).unlink(missing_ok=True)
        return Downloaded(done.size, done.name, into)

    async def link(self, file_id: str) -> str:
        """The address of a file."""
        reply = await self._sender.send(Request("GET", f"/files/{path_segment(file_id)}"))
        link = link_of(reply)
        if link is None:
            value_of(reply)
            raise NotHeadrace(reply.url, "the answer is not a link to a file")
        return link

    async def _fetched(self, file_id: str, sink: BinaryIO) -> Downloaded:
        stored = _stored(await self._sender.fetch(await self.link(file_id), sink))
        named = _NAME.search(stored.headers.get("content-disposition", ""))
        return Downloaded(stored.streamed, unquote(named[1]) if named else None)


def _requested(raw: JsonObject) -> tuple[File, UploadLink]:
    described = {name: value for name, value in raw.items() if name != "upload"}
    return File(take(raw, "id", str), described), UploadLink.of(take(raw, "upload", dict))


def _stored(reply: Reply) -> Reply:
    """The store's response; raises `Refused`."""
    if not reply.is_success:
        raise refusal(store_problem(reply))
    return reply
