"""Refuses job types whose attempts do not fit into an invocation of their function."""

from datetime import timedelta

from domain.jobs.catalogue import Catalogue
from domain.jobs.transitions import LEASE_GRACE

STARTING = timedelta(seconds=3)
"""What may pass between a function's start and the claim of its first job."""


class UnrunnableJobType(ValueError):
    """A job type's timeout is longer than its function can honour: found at start, for no job of it could ever run."""


def refuse_unrunnable(catalogue: Catalogue, available: timedelta) -> None:
    """Raise `UnrunnableJobType` for a type whose attempt does not fit into an invocation.

    `available` is what an invocation has for its jobs: the function's timeout, less what it needs to report.
    """
    longest = available - STARTING - LEASE_GRACE
    for name in catalogue.names():
        timeout = catalogue.policy(name).timeout
        if timeout > longest:
            raise UnrunnableJobType(
                f"{name} has a timeout of {timeout.total_seconds():g} s, and this function can give an attempt"
                f" {longest.total_seconds():g} s; lower Policy(timeout=…), or raise the function's timeout"
            )
