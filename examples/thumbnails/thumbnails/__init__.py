"""The job types of thumbnails."""

from headrace import Handler

from thumbnails.thumbnail import make_thumbnail

JOB_TYPES: tuple[Handler, ...] = (make_thumbnail,)
