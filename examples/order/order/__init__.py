"""The job types of order."""

from headrace import Handler

from order.mail import thank
from order.ship import make_label, make_thumbnail
from order.take import take_order

JOB_TYPES: tuple[Handler, ...] = (take_order, make_label, make_thumbnail, thank)
