"""The base model of request bodies: refuses unknown members, and reports a bounded number of errors."""

from typing import Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator

from domain.flaws import Flaws, flaws_of


class InvalidForm(Exception):
    """A document failed validation. Not a `ValueError`, so that pydantic and FastAPI pass it on unchanged."""

    def __init__(self, flaws: Flaws) -> None:
        super().__init__(f"{flaws.count} flaws")
        self.flaws = flaws


class Form(BaseModel):
    """Base of request bodies. Validation of an invalid one raises `InvalidForm`, never `ValidationError`.

    From a `ValidationError`, FastAPI would copy every error several times, however many there are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="wrap")
    @classmethod
    def _bound_errors(cls, value: object, read: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return read(value)
        except ValidationError as error:
            raise InvalidForm(flaws_of(error)) from None
