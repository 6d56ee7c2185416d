"""Messages, sent by the HTTP API of some provider."""

from datetime import timedelta
from http import HTTPStatus

from headrace import Backoff, Fail, JobContext, Retry, job_type
from pydantic import BaseModel, Field

URL, TOKEN = "NOTIFY_URL", "NOTIFY_TOKEN"
SECONDS = 10.0


class Message(BaseModel):
    """What is sent to whom."""

    to: str = Field(min_length=1, max_length=200)
    text: str = Field(min_length=1, max_length=2000)


class Sent(BaseModel):
    """The provider has accepted the message."""

    status: int


@job_type(
    "notify.message",
    timeout=timedelta(seconds=20),
    backoff=Backoff(base=timedelta(seconds=5)),
    settings=(URL, TOKEN),
    expose_errors=False,  # An exception may quote the request, and with it the token.
)
async def send_message(message: Message, context: JobContext) -> Sent | Retry | Fail:
    """Send a message."""
    import httpx  # The API reads this file too, and has no httpx.

    headers = {"authorization": f"Bearer {context.settings[TOKEN]}", "idempotency-key": context.idempotency_key}
    try:
        async with httpx.AsyncClient(timeout=SECONDS) as client:
            response = await client.post(context.settings[URL], json=message.model_dump(), headers=headers)
    except httpx.TransportError as error:
        return Retry(reason=f"the provider cannot be reached ({type(error).__name__})")
    if response.is_success:
        return Sent(status=response.status_code)
    if response.is_server_error or response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        return Retry(reason=f"the provider answered {response.status_code}")
    return Fail(reason=f"the provider refused the message with {response.status_code}")
