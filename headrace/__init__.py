"""What a job type is written with: `from headrace import JobType, Policy, JobContext, Retry, Fail, Stopped`."""

from headrace.authoring.context import JobContext, SyncJobContext
from headrace.authoring.job_type import JobType, Policy
from headrace.authoring.outcomes import Fail, Retry, Stopped
from headrace.authoring.retry import Backoff

__all__ = ["Backoff", "Fail", "JobContext", "JobType", "Policy", "Retry", "Stopped", "SyncJobContext"]
