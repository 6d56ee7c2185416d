"""Refuses job types whose attempts do not fit into an invocation of the function that runs them."""

from collections.abc import Mapping
from datetime import timedelta

from domain.jobs.catalogue import Catalogue
from domain.jobs.transitions import LEASE_GRACE

STARTING = timedelta(seconds=3)
"""What may pass between a function's start and the claim of its first job."""


class UnrunnableJobType(ValueError):
    """A job type's timeout is longer than its function can honour, or there is no such function: found at start, for no
    job of it could ever run.
    """


def refuse_unrunnable(catalogue: Catalogue, available: Mapping[str, timedelta]) -> None:
    """Raise `UnrunnableJobType` for a type whose attempt does not fit into an invocation of its runner.

    `available` is what an invocation has for its jobs, by runner: the function's timeout, less what it needs to report.
    """
    for name in catalogue.names():
        policy = catalogue.policy(name)
        if policy.runs_in not in available:
            raise UnrunnableJobType(
                f"{name} needs the runner {policy.runs_in}, and template.yaml declares {', '.join(sorted(available))}"
            )
        longest = available[policy.runs_in] - STARTING - LEASE_GRACE
        if policy.timeout > longest:
            raise UnrunnableJobType(
                f"{name} has a timeout of {policy.timeout.total_seconds():g} s, and the runner {policy.runs_in} can give"
                f" an attempt {longest.total_seconds():g} s; lower Policy(timeout=…), name another runner, or raise the"
                " function's timeout"
            )
