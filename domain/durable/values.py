"""Values of steps as JSON: what a function returns, by its annotation, and back."""

from collections.abc import Awaitable, Callable, Coroutine
from functools import lru_cache, partial
from inspect import unwrap
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from pydantic import JsonValue, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

from domain.durable.step import MAX_VALUE_BYTES
from headrace.authoring.json_text import JsonText, NotJson, byte_length, to_json_text
from headrace.authoring.steps import StepMisused

Adapter = TypeAdapter[object]


def adapter_of(name: str, function: Callable[..., object], returns: object) -> Adapter:
    """How the values of a step are written and read; raises `StepMisused`."""
    return model_adapter(name, _declared(name, function) if returns is None else returns)


def model_adapter(name: str, model: object) -> Adapter:
    """The same for what is declared by itself: a signal's model, that of children's results. Raises `StepMisused`."""
    try:
        return _adapter(model)
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError) as error:
        raise StepMisused(f"the step {name} returns {_shown(model)}, which has no JSON form: {error}") from None


def encoded(name: str, value: object, adapter: Adapter) -> JsonText:
    """The value's JSON; raises `StepMisused`."""
    try:
        # Checked, so that what another run reads is what this one has made.
        text = to_json_text(adapter.dump_python(adapter.validate_python(value), mode="json", by_alias=True))
    except ValidationError as error:
        flaw = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise StepMisused(
            f"the step {name} made a {type(value).__name__}, which is not what it says that it returns"
            f" ({flaw['msg']}): annotate its function, or give step(…, returns=…)"
        ) from None
    except (NotJson, ValueError) as error:
        raise StepMisused(f"the value of the step {name} is not JSON: {error}") from None
    if byte_length(text) > MAX_VALUE_BYTES:
        raise StepMisused(
            f"the value of the step {name} has {byte_length(text)} bytes of JSON, the limit is {MAX_VALUE_BYTES};"
            " save a file, and return that"
        )
    return text


def decoded(name: str, text: JsonText, adapter: Adapter) -> object:
    """The value again; raises `StepMisused` where the code has changed so that it cannot be read."""
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        flaws = "; ".join(f"{'/'.join(str(part) for part in flaw['loc'])}: {flaw['msg']}" for flaw in found[:3])
        raise StepMisused(f"what {name} has is not of the declared model: {flaws}") from None


@lru_cache(maxsize=256)
def _adapter(declared: object) -> Adapter:
    return TypeAdapter(declared)


def _declared(name: str, function: Callable[..., object]) -> object:
    """What the function says that it returns; any JSON where it does not say."""
    while isinstance(function, partial):
        function = function.func
    try:
        hint = get_type_hints(unwrap(function)).get("return", JsonValue)
    except NameError as error:
        raise StepMisused(
            f"the annotation of the step {name} cannot be read: {error}; give step(…, returns=…)"
        ) from None
    except Exception:  # noqa: BLE001 - something callable without annotations
        return JsonValue
    if get_origin(hint) in {Awaitable, Coroutine}:
        hint = get_args(hint)[-1]
    # `Any` is what the author of a step may have written, and is no type of ours.
    return JsonValue if hint in {Any, object} or isinstance(hint, TypeVar) else hint


def _shown(declared: object) -> str:
    return getattr(declared, "__name__", str(declared))
