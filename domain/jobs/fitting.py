"""Refuses job types whose attempts do not fit into an invocation of the function that runs them."""

from collections.abc import Collection
from datetime import timedelta

from domain.durable.step import MAX_LIFE
from domain.jobs.catalogue import Catalogue
from domain.jobs.transitions import LEASE_GRACE

DAY = timedelta(days=1)

STARTING = timedelta(seconds=3)
"""What may pass between a function's start and the claim of its first job."""


class UnrunnableJobType(ValueError):
    """No job of a type could ever run, for its timeout is too long for its function, or there is no such function."""


class KeptTooLong(ValueError):
    """Jobs of a type would be kept when their large payloads and results are gone."""


def refuse_unrunnable(catalogue: Catalogue, runner: str, available: timedelta) -> None:
    """Raise `UnrunnableJobType` for a type of `runner` whose attempt does not fit into an invocation.

    `available` is what an invocation has for its jobs: the function's timeout, less what it needs to report.
    """
    longest = available - STARTING - LEASE_GRACE
    for name in catalogue.names():
        policy = catalogue.policy(name)
        if policy.runs_in == runner and policy.timeout > longest:
            raise UnrunnableJobType(
                f"{name} has a timeout of {policy.timeout.total_seconds():g} s, and its runner, {runner}, can give an"
                f" attempt {longest.total_seconds():g} s; lower Policy(timeout=…), choose another runner, or raise the"
                " function's timeout"
            )


def refuse_unknown_runners(catalogue: Catalogue, runners: Collection[str]) -> None:
    """Raise `UnrunnableJobType` for a type whose runner is not among those of the template."""
    for name in catalogue.names():
        runner = catalogue.policy(name).runs_in
        if runner not in runners:
            raise UnrunnableJobType(
                f"{name} needs the runner {runner}, but template.yaml declares only {', '.join(sorted(runners))};"
                " name one of these in Policy(runner=…), or declare it"
            )


def refuse_kept_longer_than(catalogue: Catalogue, document_lifetime: timedelta) -> None:
    """Raise `KeptTooLong` for a type whose jobs might outlive their payloads, which are as old as the jobs."""
    longest = document_lifetime - MAX_LIFE
    for name in catalogue.names():
        retention = catalogue.policy(name).retention
        if retention > longest:
            raise KeptTooLong(
                f"{name} keeps its jobs for {retention / DAY:g} days, and large payloads are deleted"
                f" {document_lifetime / DAY:g} days after submission, of which a job may need {MAX_LIFE.days}"
                f" until it ends; lower Policy(retention=…) to {longest / DAY:g} days, or raise DocumentDays"
            )


def refuse_longer_than(catalogue: Catalogue, available: timedelta) -> None:
    """As `refuse_unrunnable`, where one function runs all types."""
    for runner in {catalogue.policy(name).runs_in for name in catalogue.names()}:
        refuse_unrunnable(catalogue, runner, available)
