"""The job types of notify."""

from headrace import Handler

from notify.message import send_message

JOB_TYPES: tuple[Handler, ...] = (send_message,)
