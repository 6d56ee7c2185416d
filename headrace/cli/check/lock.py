"""The lock file: what the job types of the last accepted version are, and what of it has changed since."""

import json
from collections.abc import Iterator
from typing import Literal

from pydantic import Field, JsonValue

from domain.jobs.catalogue import Catalogue
from domain.jobs.schemas import Schema, payload_schema, result_schema
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import AnyJobType
from headrace.cli.check.schemas import refusals

_PROSE = {"title", "description", "examples", "deprecated"}
_OF_NAMES = {"properties", "$defs", "patternProperties"}


class LockedType(Frozen):
    """A job type in the lock file."""

    payload_version: int
    oldest_payload_version: int
    """The oldest version whose payloads are upcast."""
    aliases: tuple[str, ...]
    payloads: dict[int, Schema]
    """By version: the newest, and the older ones that are upcast, as far as they were locked when they were newest."""
    result: Schema


class Lock(Frozen):
    """The lock file."""

    format: Literal[1] = 1
    types: dict[str, LockedType] = Field(default_factory=dict)


class Finding(Frozen):
    """What has changed in a job type."""

    type: str
    breaking: bool
    """Whether jobs that are queued, running, retrying or scheduled would break."""
    what: str
    details: tuple[str, ...] = ()
    remedy: str = ""


def lock_of(catalogue: Catalogue, before: Lock) -> Lock:
    """The lock file of these job types; the payloads of older versions come from the one `before`."""
    return Lock(types={each.name: _locked(each, before) for each in _definitions(catalogue)})


def lock_text(lock: Lock) -> str:
    """The file's content, the same for the same job types."""
    return json.dumps(lock.model_dump(mode="json"), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def findings(before: Lock, catalogue: Catalogue) -> tuple[Finding, ...]:
    """What has changed since the lock file was written, by job type."""
    known = {alias for locked in before.types.values() for alias in locked.aliases} | before.types.keys()
    new = [each for each in _definitions(catalogue) if not known & {*each.names}]
    added = [Finding(type=each.name, breaking=False, what="is new") for each in new]
    return (*(found for name, locked in before.types.items() for found in _of_type(name, locked, catalogue)), *added)


def _definitions(catalogue: Catalogue) -> Iterator[AnyJobType]:
    return (found for name in catalogue.names() if (found := catalogue.definition(name)) is not None)


def _locked(definition: AnyJobType, before: Lock) -> LockedType:
    older = next((before.types[name] for name in definition.names if name in before.types), None)
    versions = range(definition.oldest_payload_version, definition.payload_version)
    kept = {version: schema for version, schema in older.payloads.items() if version in versions} if older else {}
    return LockedType(
        payload_version=definition.payload_version,
        oldest_payload_version=definition.oldest_payload_version,
        aliases=tuple(sorted(definition.aliases)),
        payloads=kept | {definition.payload_version: _without_prose(payload_schema(definition))},
        result=_without_prose(result_schema(definition)),
    )


def _of_type(name: str, locked: LockedType, catalogue: Catalogue) -> Iterator[Finding]:
    now = catalogue.definition(name)
    if now is None:
        yield _removed(name)
        return
    for alias in locked.aliases:
        if alias not in now.names:
            yield _alias_gone(now.name, alias)
    if now.name != name:
        yield Finding(type=now.name, breaking=False, what=f"was named {name}, which is an alias now")
    for alias in sorted({*now.aliases} - {name, *locked.aliases}):
        yield Finding(type=now.name, breaking=False, what=f"has the alias {alias}")
    yield from _of_versions(now, locked)
    if _without_prose(result_schema(now)) != locked.result:
        yield Finding(type=now.name, breaking=False, what="has another result, which clients read")


def _of_versions(now: AnyJobType, locked: LockedType) -> Iterator[Finding]:
    if now.oldest_payload_version > locked.oldest_payload_version and now.payload_version >= locked.payload_version:
        yield _upcast_gone(now, locked.oldest_payload_version)
    if now.payload_version < locked.payload_version:
        yield _lowered(now, locked.payload_version)
    elif now.payload_version > locked.payload_version:
        yield Finding(type=now.name, breaking=False, what=f"has payloads of version {now.payload_version}")
    else:
        yield from _of_payload(now, locked.payloads.get(now.payload_version, {}))


def _of_payload(now: AnyJobType, old: Schema) -> Iterator[Finding]:
    new = _without_prose(payload_schema(now))
    if new == old:
        return
    version, broken = now.payload_version, refusals(old, new)
    if broken:
        yield Finding(
            type=now.name,
            breaking=True,
            what=f"payloads of version {version} may not be accepted any more",
            details=broken,
            remedy=f"raise payload_version to {version + 1} and add the step"
            f" upcasts={{{version}: a function from the old document to the new}}",
        )
        return
    beside = ("older workers may refuse the new form while both versions run; let clients send it afterwards",)
    what = "accepts more payloads than before, or has other defaults"
    yield Finding(type=now.name, breaking=False, what=what, details=beside if refusals(new, old) else ())


def _removed(name: str) -> Finding:
    return Finding(
        type=name,
        breaking=True,
        what="is gone: no worker would run its unfinished jobs",
        remedy=f'keep it until none is left, or give the type that replaces it aliases=("{name}",)',
    )


def _alias_gone(name: str, alias: str) -> Finding:
    return Finding(
        type=name,
        breaking=True,
        what=f"has no alias {alias} any more: no worker would run unfinished jobs of that name",
        remedy="keep the alias until none is left and no client submits it",
    )


def _upcast_gone(now: AnyJobType, oldest: int) -> Finding:
    return Finding(
        type=now.name,
        breaking=True,
        what=f"has no upcast from version {oldest} any more: unfinished jobs of that version would fail",
        remedy="keep the step until none is left, failed ones included that somebody may retry",
    )


def _lowered(now: AnyJobType, newest: int) -> Finding:
    return Finding(
        type=now.name,
        breaking=True,
        what=f"has payload_version={now.payload_version}, lower than {newest}: newer jobs would be left waiting",
        remedy=f"raise payload_version above {newest}, also to go back to an older form",
    )


def _without_prose(schema: Schema) -> Schema:
    return {name: _cleaned(name, value) for name, value in schema.items() if name not in _PROSE}


def _cleaned(name: str, value: JsonValue) -> JsonValue:
    """The value of one keyword, without prose in the schemas that it holds."""
    match value:
        case dict() if name in _OF_NAMES:
            return {key: _without_prose(each) if isinstance(each, dict) else each for key, each in value.items()}
        case dict() if name not in {"default", "const", "discriminator"}:
            return _without_prose(value)
        case list() if name in {"anyOf", "oneOf", "allOf", "prefixItems"}:
            return [_without_prose(each) if isinstance(each, dict) else each for each in value]
        case list() if name == "required":
            return sorted(value, key=str)
        case _:
            return value
