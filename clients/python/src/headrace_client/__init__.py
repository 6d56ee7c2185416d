"""Submits jobs to a Headrace deployment, and follows them: `Client`, and `AsyncClient` with the same methods."""

from headrace_client._async.client import AsyncClient
from headrace_client._sync.client import Client
from headrace_client.errors import (
    Conflict,
    Flaw,
    HeadraceError,
    InvalidRequest,
    JobFailed,
    NotAllowed,
    NotFound,
    NotHeadrace,
    Problem,
    Refused,
    Unavailable,
    Unreachable,
    WaitTimeout,
)
from headrace_client.json_values import JsonInput, JsonObject, JsonValue, RawJson
from headrace_client.messages import path_segment
from headrace_client.models import (
    FINAL,
    Change,
    ChildGroup,
    Document,
    DocumentRef,
    Downloaded,
    File,
    Frame,
    Job,
    JobError,
    Parent,
    Progress,
    Step,
)
from headrace_client.retry import NO_RETRY, Retry
from headrace_client.seams import AsyncSeams, Seams
from headrace_client.statistics import Stats
from headrace_client.submissions import Outcome, Submission

__all__ = [
    "FINAL",
    "NO_RETRY",
    "AsyncClient",
    "AsyncSeams",
    "Change",
    "ChildGroup",
    "Client",
    "Conflict",
    "Document",
    "DocumentRef",
    "Downloaded",
    "File",
    "Flaw",
    "Frame",
    "HeadraceError",
    "InvalidRequest",
    "Job",
    "JobError",
    "JobFailed",
    "JsonInput",
    "JsonObject",
    "JsonValue",
    "NotAllowed",
    "NotFound",
    "NotHeadrace",
    "Outcome",
    "Parent",
    "Problem",
    "Progress",
    "RawJson",
    "Refused",
    "Retry",
    "Seams",
    "Stats",
    "Step",
    "Submission",
    "Unavailable",
    "Unreachable",
    "WaitTimeout",
    "path_segment",
]  # fmt: skip
