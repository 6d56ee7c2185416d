"""What job types are tested with: `from headrace.testing import run_job`. Needs no AWS and no stack."""

from headrace.testing.captured import LogLine
from headrace.testing.crashes import survives_crashes
from headrace.testing.effects import Effect
from headrace.testing.job_run import JobRun, ProgressReport
from headrace.testing.payloads import SubmissionRefused
from headrace.testing.running import run_job, run_job_async
from headrace.testing.stack import JobStack, StackJob

__all__ = [
    "Effect", "JobRun", "JobStack", "LogLine", "ProgressReport", "StackJob", "SubmissionRefused", "run_job",
    "run_job_async", "survives_crashes",
]  # fmt: skip
