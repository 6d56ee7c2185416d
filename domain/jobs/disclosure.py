"""Decides what a caller sees of a job's error: an exception's message may quote what only its operators may know."""

from domain.jobs.catalogue import Catalogue
from domain.jobs.job import JobError
from domain.jobs.listing import JobSummary
from domain.jobs.upcasting import UPCAST_FAILED
from domain.users.user import User

_HIDDEN = {"invalid_result": "the result is not JSON", UPCAST_FAILED: "the payload could not be upcast"}
"""What is shown instead of a message, by the code of what an exception made impossible."""


class Disclosure:
    """Hides the message and the frames of exceptions where `Policy.expose_errors` says so."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def to(self, caller: User, summary: JobSummary) -> JobSummary:
        """The job as the caller may see it: admins see everything."""
        return summary if caller.role == "admin" else self.outside(summary)

    def outside(self, summary: JobSummary) -> JobSummary:
        """The job as everyone else may see it."""
        error = summary.error
        if error is None or not error.frames or self._exposes(summary.type):
            return summary
        return summary.model_copy(update={"error": _hidden(error)})

    def _exposes(self, type: str) -> bool:
        """False for a type that is not known here (any more): what its author chose is not known either."""
        definition = self._catalogue.definition(type)
        return definition is not None and definition.policy.expose_errors


def _hidden(error: JobError) -> JobError:
    message = _HIDDEN.get(error.code, f"the handler raised {error.code}")
    return JobError(code=error.code, message=message, attempt=error.attempt, at=error.at)
