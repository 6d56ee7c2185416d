"""Decides what a caller sees of a job's error: an exception's message may quote what only its operators may know."""

from domain.jobs.catalogue import Catalogue
from domain.jobs.job import Frame, JobError
from domain.jobs.listing import JobSummary
from domain.jobs.upcasting import UPCAST_FAILED
from domain.users.user import User

_HIDDEN = {"invalid_result": "the result is not JSON", UPCAST_FAILED: "the payload could not be upcast"}
"""What is shown instead of a message, by the code of what an exception made impossible."""


class Disclosure:
    """Hides the source of frames; where `Policy.expose_errors` says so, an exception's message and frames too."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def to(self, caller: User, summary: JobSummary) -> JobSummary:
        """The job as the caller may see it: admins see everything."""
        return summary if caller.role == "admin" else self.outside(summary)

    def outside(self, summary: JobSummary) -> JobSummary:
        """The job as everyone else may see it."""
        error = summary.error
        if error is None or not error.frames:
            return summary
        shown = _without_source(error) if self._exposes(summary.type) else _hidden(error)
        return summary.model_copy(update={"error": shown})

    def _exposes(self, type: str) -> bool:
        """False for a type that is not known here (any more): what its author chose is not known either."""
        definition = self._catalogue.definition(type)
        return definition is not None and definition.policy.expose_errors


def _without_source(error: JobError) -> JobError:
    """What the code says is for those who run it."""
    frames = tuple(Frame(file=each.file, line=each.line, function=each.function) for each in error.frames)
    return error.model_copy(update={"frames": frames})


def _hidden(error: JobError) -> JobError:
    message = _HIDDEN.get(error.code, f"the handler raised {error.code}")
    return JobError(code=error.code, message=message, attempt=error.attempt, at=error.at)
