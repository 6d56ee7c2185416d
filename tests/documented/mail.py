"""Sends mail."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from email.message import EmailMessage
from smtplib import SMTP, SMTPRecipientsRefused
from typing import Protocol

from headrace import Backoff, Fail, JobType, Policy, SyncJobContext
from pydantic import BaseModel


class Mail(BaseModel):
    """A message to one address."""

    to: str
    subject: str
    text: str


class Sent(BaseModel):
    """The server has accepted the message."""

    message_id: str


class Server(Protocol):
    """Accepts messages."""

    def send_message(self, msg: EmailMessage, /) -> object:
        """Raises what `smtplib` raises."""


class SendMail:
    """Sends one message through the server that the setting `SMTP_HOST` names."""

    definition = JobType[Mail, Sent](
        name="mail.send",
        summary="Send a message to one address",
        payload=Mail,
        result=Sent,
        policy=Policy(timeout=timedelta(seconds=20), backoff=Backoff(base=timedelta(seconds=30)), concurrency=5),
        settings=("SMTP_HOST",),
    )

    def __init__(self, connect: Callable[[str], AbstractContextManager[Server]] = SMTP) -> None:
        self._connect = connect

    def run(self, mail: Mail, context: SyncJobContext) -> Sent | Fail:
        """Every attempt sends the same Message-ID, by which a mailbox recognises a second copy."""
        message = EmailMessage()
        message["To"], message["Subject"] = mail.to, mail.subject
        message["Message-ID"] = f"<{context.idempotency_key}@jobs.example.com>"
        message.set_content(mail.text)
        try:
            with self._connect(context.settings["SMTP_HOST"]) as server:
                server.send_message(message)
        except SMTPRecipientsRefused:
            return Fail(code="refused", reason="the server refuses the address")
        return Sent(message_id=message["Message-ID"])
