"""What is known of a file beside its content, which is a blob."""

from pydantic import AwareDatetime

from headrace.authoring.frozen import Frozen

MAX_NAME = 200
MAX_CONTENT_TYPE = 100


class StoredFile(Frozen):
    """A file, from the request for its upload or from a handler that saved it. It never changes."""

    id: str
    owner_id: str
    name: str
    content_type: str
    size: int
    """Bytes; for an upload those that it must have."""
    created_at: AwareDatetime
    expires_at: AwareDatetime
    """When the file ceases to exist (TTL), in whole seconds."""


def blob_key(owner_id: str, file_id: str) -> str:
    """Where the content lies. Another tenant's file is nowhere, whatever id a handler is led to open."""
    return f"files/{owner_id}/{file_id}"
