"""The registered job types. A new one is a file in this folder and a line in `JOB_TYPES`."""

from domain.jobs.catalogue import Catalogue
from headrace import Handler
from job_types.csv_profile import ProfileCsv
from job_types.http_request import DeliverHttpRequest

JOB_TYPES: tuple[Handler, ...] = (
    ProfileCsv(),
    DeliverHttpRequest(),
)


def catalogue() -> Catalogue:
    """Every registered job type, by name."""
    return Catalogue(JOB_TYPES)
