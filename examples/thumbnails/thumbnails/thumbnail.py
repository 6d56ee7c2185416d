"""Thumbnails of images."""

import io
import warnings
from datetime import timedelta

from headrace import Fail, SyncJobContext, job_type
from pydantic import Base64Bytes, BaseModel, Field

MAX_IMAGE_BYTES = 180 * 1024
"""As base64 it fits into a payload of 256 KiB."""
MAX_PIXELS = 40_000_000


class Image(BaseModel):
    """An image, and how large its thumbnail may be."""

    image: Base64Bytes = Field(max_length=MAX_IMAGE_BYTES)
    """JPEG, PNG, WebP or GIF."""
    longest_side: int = Field(default=128, ge=16, le=512)
    """Pixels."""


class Thumbnail(BaseModel):
    """A JPEG, and its size in pixels."""

    image: Base64Bytes
    width: int
    height: int


@job_type("images.thumbnail", timeout=timedelta(seconds=20), max_attempts=2)
def make_thumbnail(given: Image, context: SyncJobContext) -> Thumbnail | Fail:
    """Make a thumbnail of an image."""
    from PIL import Image as Images  # The API reads this file too, and has no Pillow.

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Images.DecompressionBombWarning)  # The limit of pixels is ours.
            image = Images.open(io.BytesIO(given.image), formats=("JPEG", "PNG", "WEBP", "GIF"))
        if image.width * image.height > MAX_PIXELS:
            return Fail(reason=f"the image has {image.width} x {image.height} pixels, and {MAX_PIXELS} are permitted")
        context.report_progress(0.3, "read")
        image.draft("RGB", (given.longest_side, given.longest_side))  # Of a JPEG it decodes no more than is needed.
        small = image.convert("RGB")
    except Images.UnidentifiedImageError:
        return Fail(reason="this is no JPEG, PNG, WebP or GIF")
    except (Images.DecompressionBombError, OSError, SyntaxError, ValueError):
        return Fail(reason="the image is damaged")
    small.thumbnail((given.longest_side, given.longest_side))
    written = io.BytesIO()
    small.save(written, "JPEG", quality=85)
    return Thumbnail.model_construct(image=written.getvalue(), width=small.width, height=small.height)
