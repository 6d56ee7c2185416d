"""The environment that template.yaml gives to every function, read once."""

from collections.abc import Mapping

from domain.frozen import Frozen

ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL_DYNAMODB"
"""The name that AWS's SDKs agreed on for another endpoint of one service."""


class Settings(Frozen):
    """Where a function finds its tables. `endpoint_url` is None on AWS."""

    jobs_table: str
    users_table: str
    user_emails_table: str
    stream_positions_table: str
    cursor_key: str
    endpoint_url: str | None


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings in `environment`; a missing variable raises `KeyError` with its name."""
    return Settings(
        jobs_table=environment["JOBS_TABLE"],
        users_table=environment["USERS_TABLE"],
        user_emails_table=environment["USER_EMAILS_TABLE"],
        stream_positions_table=environment["STREAM_POSITIONS_TABLE"],
        cursor_key=environment["CURSOR_KEY"],
        endpoint_url=environment.get(ENDPOINT_VARIABLE) or None,
    )
