"""The job types of `make demo`: the built-in ones, and those of examples/order."""

from job_types import JOB_TYPES as BUILT_IN
from order import JOB_TYPES as OF_ORDERS

JOB_TYPES = (*BUILT_IN, *OF_ORDERS)
