"""What a job type is written with: `from headrace import job_type, JobContext, Retry, Fail`."""

from importlib import import_module
from typing import TYPE_CHECKING

from headrace.authoring.children import ChildFailed
from headrace.authoring.context import JobContext, SyncJobContext
from headrace.authoring.files import File, FileError, FileMissing, FileStream, FileTooLarge, FileUnavailable
from headrace.authoring.function_signature import InvalidJobType
from headrace.authoring.job_function import job_type
from headrace.authoring.job_type import Handler, JobType, Policy
from headrace.authoring.json_text import json_size
from headrace.authoring.outcomes import Done, Fail, Retry, Stopped
from headrace.authoring.rate import Rate
from headrace.authoring.retry import Backoff
from headrace.authoring.secrets import Secret, SecretUnavailable
from headrace.authoring.steps import StepError, StepMisused, StepUnavailable
from headrace.authoring.writes import Check, Delete, If, IfAbsent, Put, Update

if TYPE_CHECKING:
    from headrace.transaction import JobItem, JobRefused, job_item

__all__ = [
    "Backoff", "Check", "ChildFailed", "Delete", "Done", "Fail", "File", "FileError", "FileMissing", "FileStream",
    "FileTooLarge", "FileUnavailable", "Handler", "If", "IfAbsent", "InvalidJobType", "JobContext", "JobItem",
    "JobRefused", "JobType", "Policy", "Put", "Rate", "Retry", "Secret", "SecretUnavailable", "StepError",
    "StepMisused", "StepUnavailable", "Stopped", "SyncJobContext", "Update", "job_item", "job_type", "json_size",
]  # fmt: skip

_OF_TRANSACTIONS = frozenset({"JobItem", "JobRefused", "job_item"})

if not TYPE_CHECKING:  # so that type checkers know which names there are

    def __getattr__(name: str) -> object:
        """Imports what submits jobs when somebody asks for it: job types, which every function imports, never do."""
        if name not in _OF_TRANSACTIONS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module("headrace.transaction"), name)
