"""The base of request bodies: strict about unknown members, bounded in what it says about wrong ones."""

from typing import Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator

from domain.flaws import Flaws, flaws_of


class InvalidForm(Exception):
    """A document does not have its form. Not a `ValueError`, so that it leaves pydantic and FastAPI as it is."""

    def __init__(self, flaws: Flaws) -> None:
        super().__init__(f"{flaws.count} flaws")
        self.flaws = flaws


class Form(BaseModel):
    """A body that a client sends. Reading a wrong one raises `InvalidForm`, never `ValidationError`.

    FastAPI would copy every error of a body several times, however many there are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="wrap")
    @classmethod
    def _bound_errors(cls, value: object, read: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return read(value)
        except ValidationError as error:
            raise InvalidForm(flaws_of(error)) from None
