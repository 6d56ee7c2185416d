"""What the annotations of a job type's function say; where they do not, a sentence that names the function."""

import inspect
import types
from collections.abc import Callable
from typing import Annotated, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from headrace.authoring.frozen import Frozen
from headrace.authoring.outcomes import Fail, Retry, Stopped

_OUTCOMES = (Retry, Fail, Stopped)
_PARAMETERS = ("the payload", "the context")
_LIKE = "write it as `async def f(payload: Payload, context: JobContext) -> Result:`"


class InvalidJobType(TypeError):
    """A job type that cannot work as it is written; found when its module is imported."""


class Signature(Frozen):
    """The models of a function, and whether it takes the context."""

    payload: type[BaseModel]
    result: type[BaseModel]
    summary: str
    takes_context: bool


def signature_of(function: Callable[..., object]) -> Signature:
    """Read the function's annotations and docstring; raises `InvalidJobType`."""
    where = place_of(function)
    if not inspect.isfunction(function):
        raise InvalidJobType(f"{where} is not a function; {_LIKE}, or write a class with `definition` and `run`")
    if function.__name__ == "<lambda>":
        raise InvalidJobType(f"{where} is a lambda, which has no annotations; {_LIKE}")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidJobType(f"{where} is a generator; a job type returns its result once, without `yield`")
    names = _parameters(function, where)
    hints = _hints(function, where)
    summary = (inspect.getdoc(function) or "").split("\n", 1)[0].strip().rstrip(".")
    if not summary:
        raise InvalidJobType(f"{where} has no docstring; its first line is what people read about the job type")
    return Signature(
        payload=_payload(hints, names[0], where),
        result=_result(hints, where),
        summary=summary,
        takes_context=len(names) > 1,
    )


def place_of(function: object) -> str:
    """Module, name, file and line of a function, for a sentence about it."""
    name = getattr(function, "__qualname__", None) or repr(function)
    module = getattr(function, "__module__", None)
    code = getattr(function, "__code__", None)
    line = f" ({code.co_filename}:{code.co_firstlineno})" if isinstance(code, types.CodeType) else ""
    return f"{module}.{name}{line}" if module else f"{name}{line}"


def _parameters(function: Callable[..., object], where: str) -> list[str]:
    parameters = list(inspect.signature(function).parameters.values())
    positional = [each for each in parameters if each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD}]
    needed = [each for each in parameters if each.kind == each.KEYWORD_ONLY and each.default is each.empty]
    if positional and positional[0].name in {"self", "cls"}:
        raise InvalidJobType(f"{where} is a method; declare a function of the module, or a class with `definition`")
    if not 1 <= len(positional) <= len(_PARAMETERS) or needed:
        raise InvalidJobType(f"{where} must take {' and, if it needs it, '.join(_PARAMETERS)}, nothing else; {_LIKE}")
    return [each.name for each in positional]


def _hints(function: Callable[..., object], where: str) -> dict[str, object]:
    try:
        return get_type_hints(function)
    except Exception as error:  # noqa: BLE001 - annotations are code of the user's
        raise InvalidJobType(
            f"{where} has an annotation that cannot be read: {type(error).__name__}: {error}"
        ) from None


def _payload(hints: dict[str, object], name: str, where: str) -> type[BaseModel]:
    if name not in hints:
        raise InvalidJobType(f"{where} does not say what `{name}` is; annotate it with a pydantic model")
    models = _members(hints[name])
    if len(models) != 1 or not _is_model(models[0]):
        raise InvalidJobType(f"{where}: `{name}` is annotated with {_shown(hints[name])}, not with a pydantic model")
    return models[0]


def _result(hints: dict[str, object], where: str) -> type[BaseModel]:
    if "return" not in hints:
        raise InvalidJobType(f"{where} does not say what it returns; annotate it with a pydantic model")
    models = [each for each in _members(hints["return"]) if each not in _OUTCOMES]
    if len(models) != 1 or not _is_model(models[0]):
        raise InvalidJobType(
            f"{where} is annotated to return {_shown(hints['return'])}; it must be one pydantic model, beside which"
            f" Retry, Fail and Stopped may stand"
        )
    return models[0]


def _members(hint: object) -> tuple[type[BaseModel], ...]:
    """The members of a union, or the one type."""
    origin = get_origin(hint)
    if origin is Annotated:
        return _members(get_args(hint)[0])
    if origin in {Union, types.UnionType}:
        return tuple(member for each in get_args(hint) for member in _members(each))
    return (hint,)  # type: ignore[return-value]  # whether it is a model is judged by `_is_model`


def _is_model(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, BaseModel) and hint not in {BaseModel, *_OUTCOMES}


def _shown(hint: object) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")
