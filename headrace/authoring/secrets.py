"""Secrets: what a payload names and does not hold, such as the token of another service."""

from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationInfo, model_validator

SECRETS_FOUND: Final = "headrace.secrets"
"""The member of a validation's context that collects the secrets of a document, if it is given: a list."""

MAX_SECRETS: Final = 20
"""Names of secrets in one payload."""

SecretName = Annotated[
    str,
    Field(
        strict=True,
        pattern=r"^(shared/)?[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$",
        description="The name of a secret of the job's owner; shared/NAME is one for all users",
    ),
]


class SecretUnavailable(Exception):
    """The value was asked for outside an attempt, or of a copy that Headrace did not see."""


class Secret(BaseModel):
    """A secret, as a field of a payload: `{"secret": "stripe"}`. The handler gets its value, and nobody else does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secret: SecretName
    _value: str | None = PrivateAttr(default=None)

    @property
    def value(self) -> str:
        """The value, while a handler runs. Where it would be logged, printed or stored, its name is written instead."""
        if self._value is None:
            raise SecretUnavailable(f"the secret {self.secret!r} has a value only in the handler that was given it")
        return self._value

    @model_validator(mode="after")
    def _is_noted(self, info: ValidationInfo) -> Self:
        found = info.context.get(SECRETS_FOUND) if isinstance(info.context, dict) else None
        if isinstance(found, list):
            found.append(self)
        return self


def give_value(secret: Secret, value: str) -> None:
    """Put the value into a secret, before its handler runs."""
    secret._value = value  # noqa: SLF001 - the one place that may
