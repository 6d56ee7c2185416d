"""Decides what a caller sees of a job's error: an exception's message may quote what only its operators may know."""

from domain.jobs.catalogue import Catalogue
from domain.jobs.job import Frame, HistoryEntry, JobError
from domain.jobs.listing import JobSummary
from domain.jobs.upcasting import UPCAST_FAILED
from domain.users.user import User

_HIDDEN = {"invalid_result": "the result is not JSON", UPCAST_FAILED: "the payload could not be upcast"}
"""What is shown instead of a message, by the code of what an exception made impossible."""


class Disclosure:
    """Hides the source of frames; where `Policy.expose_errors` says so, exceptions' messages and frames too."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def to(self, caller: User, summary: JobSummary) -> JobSummary:
        """The job as the caller may see it: admins see everything."""
        return summary if caller.role == "admin" else self.outside(summary)

    def outside(self, summary: JobSummary) -> JobSummary:
        """The job as everyone else may see it."""
        exposes = self._exposes(summary.type)
        error = summary.error
        if error is not None and error.frames:
            error = _without_source(error) if exposes else _hidden(error)
        history = summary.history if exposes else tuple(_hidden_entry(each) for each in summary.history)
        return summary.model_copy(update={"error": error, "history": history})

    def _exposes(self, type: str) -> bool:
        """False for a type that is not known here (any more): what its author chose is not known either."""
        definition = self._catalogue.definition(type)
        return definition is not None and definition.policy.expose_errors


def _without_source(error: JobError) -> JobError:
    """What the code says is for those who run it."""
    frames = tuple(Frame(file=each.file, line=each.line, function=each.function) for each in error.frames)
    return error.model_copy(update={"frames": frames})


def _hidden(error: JobError) -> JobError:
    return JobError(code=error.code, message=_instead(error.code), attempt=error.attempt, at=error.at)


def _hidden_entry(entry: HistoryEntry) -> HistoryEntry:
    """An entry of an exception without what it said; that of a failure that the handler returned as it is."""
    if entry.frame is None or entry.code is None:
        return entry
    return entry.model_copy(update={"message": _instead(entry.code), "frame": None})


def _instead(code: str) -> str:
    return _HIDDEN.get(code, f"the handler raised {code}")
