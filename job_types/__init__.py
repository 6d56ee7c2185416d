"""The registered job types. A new one is a file in this folder and a line in `JOB_TYPES`."""

from job_types.csv_profile import ProfileCsv
from job_types.http_request import DeliverHttpRequest

JOB_TYPES = (
    ProfileCsv(),
    DeliverHttpRequest(),
)
