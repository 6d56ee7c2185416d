"""The registered job types. A new one is a file in this folder and a line in `JOB_TYPES`."""

from typing import cast

from domain.jobs.catalogue import Catalogue
from headrace.authoring.job_type import AnyHandler
from job_types.csv_profile import ProfileCsv
from job_types.http_request import DeliverHttpRequest

JOB_TYPES = (
    ProfileCsv(),
    DeliverHttpRequest(),
)


def catalogue() -> Catalogue:
    """Every registered job type, by name."""
    # Each handler takes only its own payload model; the executor gives it just that.
    return Catalogue(cast("AnyHandler", job_type) for job_type in JOB_TYPES)
