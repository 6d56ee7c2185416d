"""Request and response models of the file routes."""

from typing import Annotated

from pydantic import BaseModel, Field

from domain.files.file import MAX_CONTENT_TYPE, MAX_NAME
from domain.files.service import UploadRequested
from functions.api.http.forms import Form
from functions.api.http.links import link
from functions.api.http.times import Moment

_MEDIA_TYPE = r"^[a-zA-Z0-9!#$&^_.+-]+/[a-zA-Z0-9!#$&^_.+-]+(; ?[a-zA-Z0-9_-]+=[a-zA-Z0-9_.-]+)*$"
"""RFC 9110, section 8.3.1, with parameters that are tokens."""


class CreateFile(Form):
    """A file to upload."""

    name: Annotated[
        str, Field(strict=True, min_length=1, max_length=MAX_NAME, pattern=r"^[^\x00-\x1f\x7f]*$", examples=["big.csv"])
    ]
    content_type: Annotated[
        str, Field(strict=True, max_length=MAX_CONTENT_TYPE, pattern=_MEDIA_TYPE, examples=["text/csv"])
    ]
    size: Annotated[
        int, Field(strict=True, ge=0, examples=[1024], description="Bytes; the upload must have exactly so many")
    ]


class UploadView(BaseModel):
    """The request that uploads the file: send the bytes with exactly these headers, and no others of their names."""

    method: str
    url: str
    headers: dict[str, str]
    expires_at: Moment


class FileView(BaseModel):
    """A file whose upload was requested. A payload names it as `{"id": …}`."""

    id: str
    name: str
    content_type: str
    size: int
    created_at: Moment
    expires_at: Moment = Field(description="When the file is deleted")
    upload: UploadView
    links: dict[str, str]


def file_view(requested: UploadRequested) -> FileView:
    """Convert a requested upload to its response model."""
    file, to = requested.file, requested.link
    upload = UploadView(method=to.method, url=to.url, headers=to.headers, expires_at=requested.until)
    own = {name: value for name, value in file if name != "owner_id"}
    return FileView.model_validate({**own, "upload": upload, "links": {"self": link(f"/v1/files/{file.id}")}})
