"""A thumbnail keeps the image's proportions, and what is no image fails at once."""

import base64
import io

import pytest
from headrace.testing import JobStack, SubmissionRefused, run_job
from PIL import Image as Images

from thumbnails.thumbnail import make_thumbnail


def encoded(image: Images.Image, format: str = "PNG") -> str:
    written = io.BytesIO()
    image.save(written, format)
    return base64.b64encode(written.getvalue()).decode()


def opened(image: bytes) -> Images.Image:
    return Images.open(io.BytesIO(image))


@pytest.mark.parametrize(("mode", "format"), [("RGB", "JPEG"), ("RGBA", "PNG"), ("P", "GIF"), ("RGB", "WEBP")])
def test_a_thumbnail_is_a_jpeg_of_the_same_proportions(mode: str, format: str) -> None:
    job = run_job(make_thumbnail, {"image": encoded(Images.new(mode, (640, 320)), format), "longest_side": 64})
    assert (job.result.width, job.result.height) == (64, 32)
    made = opened(job.result.image)
    assert (made.format, made.size) == ("JPEG", (64, 32))


def test_an_image_that_is_small_already_keeps_its_size() -> None:
    job = run_job(make_thumbnail, {"image": encoded(Images.new("RGB", (20, 10)))})
    assert (job.result.width, job.result.height) == (20, 10)


def test_what_is_no_image_fails_at_once() -> None:
    job = run_job(make_thumbnail, {"image": base64.b64encode(b"hello").decode()})
    assert job.status == "failed"
    assert job.error is not None
    assert job.error.message == "this is no JPEG, PNG, WebP or GIF"


def test_a_damaged_image_fails_at_once() -> None:
    whole = base64.b64decode(encoded(Images.effect_noise((200, 200), 50)))
    job = run_job(make_thumbnail, {"image": base64.b64encode(whole[: len(whole) // 2]).decode()})
    assert job.error is not None
    assert job.error.message == "the image is damaged"


def test_what_is_not_base64_is_not_accepted() -> None:
    with pytest.raises(SubmissionRefused):
        run_job(make_thumbnail, {"image": "not base64!"})


async def test_it_runs_on_the_stack(job_stack: JobStack) -> None:
    job = await job_stack.submit("images.thumbnail", {"image": encoded(Images.new("RGB", (300, 300)))})
    await job_stack.drain()
    assert job_stack.job(job.id).status == "succeeded"
