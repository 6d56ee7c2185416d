"""What a job type is written with: `from headrace import job_type, JobContext, Retry, Fail`."""

from headrace.authoring.context import JobContext, SyncJobContext
from headrace.authoring.files import File, FileError, FileMissing, FileStream, FileTooLarge, FileUnavailable
from headrace.authoring.function_signature import InvalidJobType
from headrace.authoring.job_function import job_type
from headrace.authoring.job_type import Handler, JobType, Policy
from headrace.authoring.json_text import json_size
from headrace.authoring.outcomes import Fail, Retry, Stopped
from headrace.authoring.rate import Rate
from headrace.authoring.retry import Backoff
from headrace.authoring.steps import StepError, StepMisused, StepUnavailable

__all__ = [
    "Backoff", "Fail", "File", "FileError", "FileMissing", "FileStream", "FileTooLarge", "FileUnavailable", "Handler",
    "InvalidJobType", "JobContext", "JobType", "Policy", "Rate", "Retry", "StepError", "StepMisused", "StepUnavailable",
    "Stopped", "SyncJobContext", "job_type", "json_size",
]  # fmt: skip
