"""The job types of order."""

from headrace import Handler

from order.mail import thank
from order.take import take_order

JOB_TYPES: tuple[Handler, ...] = (take_order, thank)
