"""Reads what a job type's function declares: its models, its summary, how it is called.

What a function leaves open, or says in a way that cannot work, is refused with a sentence for its author.
"""

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from types import FunctionType, MethodType, NoneType, UnionType
from typing import Annotated, NamedTuple, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from headrace.authoring.context import JobContext, SyncJobContext
from headrace.authoring.outcomes import Done, Fail, Retry, Stopped

AnyFunction = Callable[..., object]
_MODEL = "a pydantic model (a class of yours that inherits from `BaseModel`)"
_WITH_CONTEXT = 2


class InvalidJobType(ValueError):
    """A job type is declared in a way that cannot work: a mistake in the code, found at start."""

    def __init__(self, function: object, problem: str) -> None:
        super().__init__(f"{_named(function)} {problem}")


class Signature(NamedTuple):
    """What a job type's function declares."""

    payload: type[BaseModel]
    result: type[BaseModel]
    summary: str
    is_async: bool
    takes_context: bool


def read_signature(function: AnyFunction) -> Signature:
    """What `function` declares; raises `InvalidJobType`."""
    _check_kind(function)
    parameters = _parameters(function)
    hints = _hints(function)
    is_async = any(map(inspect.iscoroutinefunction, (function, inspect.unwrap(function))))
    takes_context = len(parameters) == _WITH_CONTEXT
    if takes_context:
        _check_context(function, hints.get(parameters[1], ()), is_async=is_async)
    return Signature(
        payload=_payload(function, parameters[0], hints.get(parameters[0])),
        result=_result(function, hints.get("return")),
        summary=_summary(function),
        is_async=is_async,
        takes_context=takes_context,
    )


def _check_kind(function: AnyFunction) -> None:
    if isinstance(function, type):
        instead = "give it `definition = JobType(…)` and `run`, and put an instance into JOB_TYPES"
        raise InvalidJobType(function, f"is a class, and @job_type is for functions; {instead}")
    if isinstance(function, MethodType) or _owner(function) not in {"", "<locals>"}:
        instead = "move it out of its class, or write a class with `definition = JobType(…)` and `run`"
        raise InvalidJobType(function, f"is a method, which nothing gives its instance; {instead}")
    if not isinstance(function, FunctionType):
        raise InvalidJobType(function, "is no function; decorate one that is written with `def` or `async def`")
    if function.__name__ == "<lambda>":
        raise InvalidJobType(function, "is a lambda, which has no annotations; write it with `def`")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidJobType(function, "is a generator; return one result instead of `yield`")


def _parameters(function: AnyFunction) -> tuple[str, ...]:
    signature = inspect.signature(function)
    parameters = tuple(each.replace(annotation=each.empty) for each in signature.parameters.values())
    by_position = all(each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD} for each in parameters)
    if not by_position or len(parameters) not in {1, _WITH_CONTEXT}:
        taken = signature.replace(parameters=parameters, return_annotation=signature.empty)
        raise InvalidJobType(function, f"takes {taken}; write its parameters as (payload) or (payload, context)")
    return tuple(each.name for each in parameters)


def _hints(function: AnyFunction) -> dict[str, tuple[object, ...]]:
    """What each annotation allows, by the parameter's name and `return`."""
    try:
        return {name: _members(hint) for name, hint in get_type_hints(function).items()}
    except NameError as error:
        instead = "define or import it at the module's top level, not in a function or under `if TYPE_CHECKING:`"
        raise InvalidJobType(function, f"has an annotation that cannot be read: {error}; {instead}") from error
    except Exception as error:
        raise InvalidJobType(function, f"has an annotation that cannot be read: {error}") from error


def _members(hint: object) -> tuple[object, ...]:
    """The members of a union; what is behind an alias of `type X = …` and behind `Annotated`."""
    hint = getattr(hint, "__value__", hint)
    origin = get_origin(hint)
    if origin is Annotated:
        return _members(get_args(hint)[0])
    if origin in {Union, UnionType}:
        return tuple(dict.fromkeys(member for part in get_args(hint) for member in _members(part)))
    return (hint,)


def _check_context(function: AnyFunction, members: tuple[object, ...], *, is_async: bool) -> None:
    if is_async and SyncJobContext in members:
        raise InvalidJobType(function, "is `async` and takes a SyncJobContext; take a JobContext, and await its calls")
    if not is_async and JobContext in members:
        instead = "take a SyncJobContext, or write `async def`"
        raise InvalidJobType(
            function, f"is a plain function and takes a JobContext, whose calls it cannot await; {instead}"
        )


def _payload(function: AnyFunction, name: str, members: tuple[object, ...] | None) -> type[BaseModel]:
    if members is None:
        raise InvalidJobType(function, f"does not say what `{name}` is; annotate it with {_MODEL}")
    match tuple(member for member in members if member is not NoneType):
        case (type() as model,) if _is_model(model):
            return model
        case _:
            raise InvalidJobType(function, f"takes {_shown(members)} as its payload; annotate `{name}` with {_MODEL}")


def _result(function: AnyFunction, members: tuple[object, ...] | None) -> type[BaseModel]:
    if members is None:
        raise InvalidJobType(function, f"does not say what it returns; write `-> YourResult`, {_MODEL}")
    within = (_result_of(member) for member in members)
    wanted = tuple(dict.fromkeys(member for member in within if not _ends_an_attempt(member)))
    match wanted:
        case (type() as model,) if _is_model(model):
            return model
        case ():
            problem = f"returns {_shown(members)} and no result; add {_MODEL}: `-> YourResult | {_shown(members)}`"
        case _ if NoneType in wanted:
            problem = (
                f"may return None, which is no result; return {_MODEL}, without fields where there is nothing to say"
            )
        case (one,) if get_origin(one) in {Awaitable, Coroutine}:
            problem = f"returns {_shown(wanted)}; write it with `async def`, and annotate what it comes to"
        case _ if all(map(_is_model, wanted)):
            problem = (
                f"returns one of {len(wanted)} results, {_shown(wanted)}; declare one model that can say each of them"
            )
        case _:
            problem = f"returns {_shown(wanted)}; return {_MODEL} instead, beside Retry, Fail and Stopped"
    raise InvalidJobType(function, problem)


def _summary(function: AnyFunction) -> str:
    lines = (function.__doc__ or "").strip().splitlines()
    if not lines:
        instead = 'write what a job of it does, for who submits one: """Count the words of a text."""'
        raise InvalidJobType(function, f"has no docstring, whose first line is the job type's summary; {instead}")
    return lines[0].strip().removesuffix(".")


def _result_of(member: object) -> object:
    """The model within `Done[Model]`."""
    if isinstance(member, type) and issubclass(member, Done):
        arguments: tuple[object, ...] = member.__pydantic_generic_metadata__["args"]
        return arguments[0] if arguments else member
    return member


def _ends_an_attempt(member: object) -> bool:
    return isinstance(member, type) and issubclass(member, Retry | Fail | Stopped)


def _is_model(member: object) -> bool:
    return isinstance(member, type) and issubclass(member, BaseModel) and member is not BaseModel


def _shown(members: tuple[object, ...]) -> str:
    return " | ".join(
        member.__name__ if isinstance(member, type) else inspect.formatannotation(member) for member in members
    )


def _named(function: object) -> str:
    """Module, qualified name, file and line, as far as it has them."""
    name = getattr(function, "__qualname__", None)
    if not isinstance(name, str):
        return repr(function)
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    place = f" ({code.co_filename}:{code.co_firstlineno})" if code is not None else ""
    return f"{getattr(function, '__module__', '?')}.{name}{place}"


def _owner(function: AnyFunction) -> str:
    """The last name before the function's own: of its class, `<locals>` in a function, nothing at the top level."""
    return getattr(function, "__qualname__", "").rpartition(".")[0].rpartition(".")[2]
