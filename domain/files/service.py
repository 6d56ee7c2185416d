"""What a client does with files: upload, download, name them in a payload."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from domain.blobs.store import MAX_BLOB_BYTES, BlobInfo, BlobMissing, BlobStore, UploadLink
from domain.files.file import StoredFile, blob_key
from domain.files.repository import FileNotFound, FileRepository
from domain.flaws import Flaw
from domain.ports import Clock, NewId
from domain.results import StorageUnavailable
from domain.users.user import User
from headrace.authoring.files import File
from headrace.authoring.frozen import Frozen

LINK_LIFETIME = timedelta(hours=1)
"""How long an upload may be begun, or a download."""

MAX_FILES = 20
"""Of one payload: each is looked up when the job is submitted."""


class UploadRequested(Frozen):
    """A file to be uploaded, and the request that does it until `until`."""

    file: StoredFile
    link: UploadLink
    until: datetime


class FileTooLarge(Frozen):
    """The file would have more bytes than a file may have."""

    size: int
    limit: int


class FileNotUploaded(Frozen):
    """The file's upload was requested, and has not happened, or not as requested."""

    file_id: str
    why: str


class FileLink(Frozen):
    """A URL from which anybody can read the file, for `LINK_LIFETIME`."""

    url: str


class FileService:
    """Files of users. Who may see one is decided here: its owner, and admins."""

    def __init__(
        self, files: FileRepository, blobs: BlobStore, clock: Clock, new_id: NewId, lifetime: timedelta
    ) -> None:
        self._files = files
        self._blobs = blobs
        self._clock = clock
        self._new_id = new_id
        self._lifetime = lifetime

    async def request_upload(
        self, name: str, content_type: str, size: int, owner: User
    ) -> UploadRequested | FileTooLarge | StorageUnavailable:
        """A link that uploads `size` bytes of this type."""
        if size > MAX_BLOB_BYTES:
            return FileTooLarge(size=size, limit=MAX_BLOB_BYTES)
        now = self._clock()
        file = new_file(self._new_id(), owner.id, name, content_type, size, now, self._lifetime)
        stored = await self._files.add(file)
        if isinstance(stored, StorageUnavailable):
            return stored
        link = await self._blobs.upload_link(blob_key(owner.id, file.id), size, content_type, LINK_LIFETIME)
        return UploadRequested(file=file, link=link, until=now + LINK_LIFETIME)

    async def link(self, file_id: str, reader: User) -> FileLink | FileNotFound | FileNotUploaded | StorageUnavailable:
        """A link to a file that the reader may see; another tenant's is answered as one that does not exist."""
        file = await self._files.get(file_id, self._clock())
        if not isinstance(file, StoredFile):
            return file
        if reader.id != file.owner_id and reader.role != "admin":
            return FileNotFound(file_id=file_id)
        key = blob_key(file.owner_id, file.id)
        why = await self._missing(file)
        if isinstance(why, StorageUnavailable):
            return why
        if why is not None:
            return FileNotUploaded(file_id=file_id, why=why)
        return FileLink(url=await self._blobs.download_link(key, file.name, file.content_type, LINK_LIFETIME))

    async def flaws(
        self, found: Sequence[File], owner: User, starts: datetime
    ) -> tuple[Flaw, ...] | StorageUnavailable:
        """Why a job of the owner's that starts then cannot have these files; empty when it can."""
        if len(found) > MAX_FILES:
            return (_flaw(f"the payload has {len(found)} files, the limit is {MAX_FILES}"),)
        looked_up = await asyncio.gather(*(self._flaw_of(file, owner, starts) for file in dict.fromkeys(found)))
        failed = [each for each in looked_up if isinstance(each, StorageUnavailable)]
        return failed[0] if failed else tuple(_flaw(each) for each in looked_up if isinstance(each, str))

    async def _flaw_of(self, given: File, owner: User, starts: datetime) -> str | StorageUnavailable | None:
        file = await self._files.get(given.id, self._clock())
        if isinstance(file, StorageUnavailable):
            return file
        # A job reads the files of its owner alone, even if an admin submits it.
        if isinstance(file, FileNotFound) or file.owner_id != owner.id:
            return f"there is no file {given.id}"
        if file.expires_at <= starts:
            return f"the file {file.id} expires at {file.expires_at.isoformat()}, before the job starts"
        wrong = [name for name, value in given if value is not None and value != getattr(file, name)]
        if wrong:
            return f"the file {file.id} has another {wrong[0]}"
        why = await self._missing(file)
        return f"the file {file.id} {why}" if isinstance(why, str) else why

    async def _missing(self, file: StoredFile) -> str | StorageUnavailable | None:
        """Why the content is not there; None when it is."""
        blob = await self._blobs.describe(blob_key(file.owner_id, file.id))
        match blob:
            case BlobMissing():
                return "has not been uploaded"
            case BlobInfo(size=size) if size != file.size:
                return f"was uploaded with {size} bytes, not with {file.size}"
            case BlobInfo():
                return None
            case StorageUnavailable():
                return blob


def new_file(
    id: str, owner_id: str, name: str, content_type: str, size: int, now: datetime, lifetime: timedelta
) -> StoredFile:
    """The description of a new file; it expires on a whole second, as DynamoDB's TTL counts."""
    expires_at = (now + lifetime).replace(microsecond=0)
    return StoredFile(
        id=id,
        owner_id=owner_id,
        name=name,
        content_type=content_type,
        size=size,
        created_at=now,
        expires_at=expires_at,
    )


def _flaw(message: str) -> Flaw:
    return Flaw(path=("payload",), message=message)
