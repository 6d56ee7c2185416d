"""The environment that template.yaml gives to the functions: each reads what it needs, once, at start."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

from pydantic import Field

from domain.users.quota import MAX_A_MINUTE, MAX_UNFINISHED, Quota
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import MAX_LIMIT

ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL_DYNAMODB"
"""The name that AWS's SDKs agreed on for another endpoint of one service."""

S3_ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL_S3"
LOCAL_DATABASE_VARIABLE = "HEADRACE_DATABASE_URL"
"""The local stack's database, `http://KEY:SECRET@HOST:PORT`, where the AWS settings are the handlers' own."""

LOCAL_QUEUES_VARIABLE = "HEADRACE_QUEUES_URL"
"""The local stack's queues, likewise."""

LOCAL_BLOBS_VARIABLE = "HEADRACE_BLOBS_URL"
"""The local stack's S3, likewise."""

LOCAL_VARIABLES = (LOCAL_DATABASE_VARIABLE, LOCAL_QUEUES_VARIABLE, LOCAL_BLOBS_VARIABLE)

JOB_TYPES_VARIABLE = "JOB_TYPES"

RUNNERS_VARIABLE = "RUNNERS"

SECRETS_VARIABLE = "SECRETS"

_DAY = 86_400
_MAX_SCHEDULES = 10_000
_MAX_DAYS = 3650


class MissingSetting(LookupError):
    """A function cannot start: a variable of its environment is missing, or is not what it must be."""


class Settings(Frozen):
    """What every function reads."""

    jobs_table: str
    endpoint_url: str | None
    """Of another DynamoDB than AWS's, with credentials if they are not the environment's; None on AWS."""
    job_types: str = "job_types"
    """The package of this deployment's job types."""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
    queues_url: str | None = None
    """Of other queues than AWS's, with credentials; None for the SDK's own settings."""
    lanes_table: str = ""
    steps_table: str = ""
    owner_limit: int = 0
    """Of the lane that each owner has by default; 0 for none."""
    runners: Mapping[str, str] = Field(default_factory=dict)
    """Of each runner, by name, the URL of its queue."""


class BlobSettings(Frozen):
    """What the functions read that keep large documents and files."""

    bucket: str
    endpoint_url: str | None
    """Of another S3 than AWS's; None on AWS."""
    files_table: str
    file_lifetime: timedelta
    """How long a file is kept."""


class SecretSettings(Frozen):
    """What the functions read that run jobs: where the secrets are that payloads name."""

    store: Literal["off", "ParameterStore", "SecretsManager", "environment"]
    """`environment` is for the local stack: the function's own variables."""
    prefix: str
    """How the names of all secrets begin there."""


class ApiSettings(Frozen):
    """What the API reads besides."""

    users_table: str
    user_emails_table: str
    principals_table: str
    cursor_key: str
    longest_wait: timedelta
    """How long a request that prefers to wait may hold the function; zero answers at once."""
    trust_unverified_email: bool
    """Whether a token without the claim `email_verified` counts as verified."""
    quota: Quota
    """Of users for whom no admin has decided otherwise; 0 sets no limit."""


class PageSettings(Frozen):
    """What the page needs to sign people in."""

    issuer: str
    client_id: str
    """Of the page, at the issuer; empty for none."""
    origins: tuple[str, ...]
    """Further origins of the issuer."""


class ScheduleSettings(Frozen):
    """What the API reads of schedules."""

    table: str
    per_owner: int
    """How many one user may have."""
    wake_queue_url: str
    """Where the next tick is sent; empty in `sam local`, where there is no such queue."""


class RunnerSettings(Frozen):
    """What a runner reads besides; its job types read variables of their own."""

    runner: str
    """Its name, by which job types choose it."""
    function_timeout: timedelta
    """The time limit of one invocation, by which a job type's timeout is judged."""


class WorkerSettings(Frozen):
    """What the worker reads besides; its job types read variables of their own."""

    stream_positions_table: str
    on_failure_queue_url: str
    """Where undecodable records go; empty locally, where there is no such queue."""
    function_timeout: timedelta
    """The time limit of one invocation, by which a job type's timeout is judged."""
    document_lifetime: timedelta
    """After which S3 deletes a large payload or result, by which a job type's retention is judged."""
    schedules_table: str
    users_table: str
    """Where the owners of schedules are."""
    wake_queue_url: str
    """Where the next tick of a schedule is sent; empty in `sam local`."""


class SweeperSettings(Frozen):
    """What the sweeper reads besides."""

    stream_positions_table: str
    schedules_table: str
    wake_queue_url: str
    """Where due jobs are sent; empty in `sam local`, where there is no such queue: due jobs are queued instead."""


class RecorderSettings(Frozen):
    """What the recorder reads besides."""

    wake_queue_url: str
    webhooks_table: str
    event_bus: str
    """Name or ARN of the EventBridge bus that is told of final states; empty for none."""
    stats_table: str | None
    """None where nothing is counted."""


class WebhookSettings(Frozen):
    """What the functions read that keep webhook endpoints, or deliver to them."""

    webhooks_table: str
    webhook_secrets_table: str


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Raises `MissingSetting`, as its neighbours do."""
    return Settings(
        jobs_table=_text(environment, "JOBS_TABLE"),
        endpoint_url=environment.get(LOCAL_DATABASE_VARIABLE, _text(environment, ENDPOINT_VARIABLE)) or None,
        job_types=_text(environment, JOB_TYPES_VARIABLE),
        log_level=_text(environment, "POWERTOOLS_LOG_LEVEL"),
        queues_url=environment.get(LOCAL_QUEUES_VARIABLE),
        lanes_table=_text(environment, "LANES_TABLE"),
        steps_table=_text(environment, "JOB_STEPS_TABLE"),
        owner_limit=_number(environment, "OWNER_CONCURRENCY", MAX_LIMIT),
        runners=_runners(_text(environment, RUNNERS_VARIABLE)),
    )


def read_blob_settings(environment: Mapping[str, str]) -> BlobSettings:
    """Of the API and the worker; the sweeper touches no blob."""
    return BlobSettings(
        bucket=_text(environment, "BLOB_BUCKET"),
        endpoint_url=environment.get(LOCAL_BLOBS_VARIABLE, _text(environment, S3_ENDPOINT_VARIABLE)) or None,
        files_table=_text(environment, "FILES_TABLE"),
        file_lifetime=_days(environment, "FILE_DAYS"),
    )


def read_secret_settings(environment: Mapping[str, str]) -> SecretSettings:
    """Of the worker and of each runner."""
    store, _, prefix = _text(environment, SECRETS_VARIABLE).partition(" ")
    match store:
        case "ParameterStore" | "SecretsManager":
            return SecretSettings(store=store, prefix=prefix)
        case "off" | "environment":
            return SecretSettings(store=store, prefix="")
        case _:
            raise MissingSetting(f"The environment variable {SECRETS_VARIABLE} names no store of secrets: {store!r}.")


def read_api_settings(environment: Mapping[str, str]) -> ApiSettings:
    """Only the word `on` trusts unverified addresses."""
    return ApiSettings(
        users_table=_text(environment, "USERS_TABLE"),
        user_emails_table=_text(environment, "USER_EMAILS_TABLE"),
        principals_table=_text(environment, "PRINCIPALS_TABLE"),
        cursor_key=_text(environment, "CURSOR_KEY"),
        longest_wait=_seconds(environment, "LONGEST_WAIT_SECONDS"),
        trust_unverified_email=_text(environment, "TRUST_UNVERIFIED_EMAIL") == "on",
        quota=Quota(
            unfinished=_number(environment, "OWNER_UNFINISHED_JOBS", MAX_UNFINISHED),
            submissions_per_minute=_number(environment, "OWNER_SUBMISSIONS_PER_MINUTE", MAX_A_MINUTE),
        ),
    )


def read_page_settings(environment: Mapping[str, str]) -> PageSettings:
    """Of the API."""
    origin = _text(environment, "UI_SIGN_IN_ORIGIN")
    return PageSettings(
        issuer=_text(environment, "UI_ISSUER"),
        client_id=_text(environment, "UI_CLIENT_ID"),
        origins=(origin,) if origin else (),
    )


def read_schedule_settings(environment: Mapping[str, str]) -> ScheduleSettings:
    """Of the API."""
    return ScheduleSettings(
        table=_text(environment, "SCHEDULES_TABLE"),
        per_owner=_number(environment, "SCHEDULES_PER_OWNER", _MAX_SCHEDULES),
        wake_queue_url=_text(environment, "WAKE_QUEUE_URL"),
    )


def read_worker_settings(environment: Mapping[str, str]) -> WorkerSettings:
    """Of `WorkerFunction`."""
    return WorkerSettings(
        stream_positions_table=_text(environment, "STREAM_POSITIONS_TABLE"),
        on_failure_queue_url=_text(environment, "ON_FAILURE_QUEUE_URL"),
        function_timeout=_seconds(environment, "FUNCTION_TIMEOUT_SECONDS"),
        document_lifetime=_days(environment, "DOCUMENT_DAYS"),
        schedules_table=_text(environment, "SCHEDULES_TABLE"),
        users_table=_text(environment, "USERS_TABLE"),
        wake_queue_url=_text(environment, "WAKE_QUEUE_URL"),
    )


def read_sweeper_settings(environment: Mapping[str, str]) -> SweeperSettings:
    """Of `SweeperFunction`."""
    return SweeperSettings(
        stream_positions_table=_text(environment, "STREAM_POSITIONS_TABLE"),
        schedules_table=_text(environment, "SCHEDULES_TABLE"),
        wake_queue_url=_text(environment, "WAKE_QUEUE_URL"),
    )


def read_recorder_settings(environment: Mapping[str, str]) -> RecorderSettings:
    """Of `RecorderFunction`."""
    return RecorderSettings(
        wake_queue_url=_text(environment, "WAKE_QUEUE_URL"),
        webhooks_table=_text(environment, "WEBHOOKS_TABLE"),
        event_bus=_text(environment, "EVENT_BUS"),
        stats_table=read_stats_table(environment),
    )


def read_stats_table(environment: Mapping[str, str]) -> str | None:
    """Of the API and the recorder: the table of statistics; None where nothing is counted."""
    table = _text(environment, "STATS_TABLE")
    return table if _text(environment, "STATISTICS") == "on" else None


def read_webhook_settings(environment: Mapping[str, str]) -> WebhookSettings:
    """Of the API and of the standard runner."""
    return WebhookSettings(
        webhooks_table=_text(environment, "WEBHOOKS_TABLE"),
        webhook_secrets_table=_text(environment, "WEBHOOK_SECRETS_TABLE"),
    )


def read_runner_settings(environment: Mapping[str, str]) -> RunnerSettings:
    """Of each runner."""
    return RunnerSettings(
        runner=_text(environment, "RUNNER"), function_timeout=_seconds(environment, "FUNCTION_TIMEOUT_SECONDS")
    )


def _runners(text: str) -> dict[str, str]:
    """One a line: its name, and the URL of its queue."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if wrong := [line for line in lines if len(line) != 2]:  # noqa: PLR2004 - name and URL
        raise MissingSetting(f"The environment variable {RUNNERS_VARIABLE} has a line that is no runner: {wrong[0]}.")
    return dict(lines)


def _text(environment: Mapping[str, str], name: str) -> str:
    try:
        return environment[name]
    except KeyError:
        raise MissingSetting(f"The environment variable {name} is missing; template.yaml says what it holds.") from None


def _number(environment: Mapping[str, str], name: str, most: int) -> int:
    text = _text(environment, name)
    if not text.isdecimal() or int(text) > most:
        raise MissingSetting(f"The environment variable {name} must be a whole number up to {most}, not {text!r}.")
    return int(text)


def _days(environment: Mapping[str, str], name: str) -> timedelta:
    text = _text(environment, name)
    if not text.isdecimal() or not 0 < int(text) <= _MAX_DAYS:
        raise MissingSetting(f"The environment variable {name} must be a number of days, not {text!r}.")
    return timedelta(days=int(text))


def _seconds(environment: Mapping[str, str], name: str) -> timedelta:
    text = _text(environment, name)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= _DAY:
        raise MissingSetting(f"The environment variable {name} must be a number of seconds, not {text!r}.")
    return timedelta(seconds=seconds)
