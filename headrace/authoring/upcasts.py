"""Versions of a job type's payload: the steps from each older version to the next."""

import inspect
from collections.abc import Callable, Mapping
from typing import Never

Upcast = Callable[[Never], object]
"""Takes the JSON document of a payload of one version and returns that of the next, such as
`def from_v1(order: dict[str, Any]) -> dict[str, Any]`."""


def oldest_version(payload_version: int, upcasts: Mapping[int, Upcast]) -> int:
    """The oldest version that the steps lead from; the current one when there are none."""
    return min(upcasts, default=payload_version)


def flaw_of_upcasts(payload_version: int, upcasts: Mapping[int, Upcast]) -> str | None:
    """What is wrong with the steps, in the words that follow a job type's name; None when they are complete."""
    here = f"payload_version={payload_version}"
    oldest = oldest_version(payload_version, upcasts) if upcasts else max(1, payload_version - 1)
    for version, step in sorted(upcasts.items()):
        if not 1 <= version < payload_version:
            return f"has {here} and an upcast from version {version}, which is no older version"
        if inspect.iscoroutinefunction(step):
            return f"has an upcast from version {version} that is `async`; write it as a plain function"
    for version in range(oldest, payload_version):
        if version not in upcasts:
            step_text = f"upcasts={{{version}: a function from its document to that of version {version + 1}}}"
            return (
                f"has {here} and no upcast from version {version}, of which jobs may still be waiting; add {step_text}"
            )
    return None


def flaw_of_aliases(name: str, aliases: tuple[str, ...]) -> str | None:
    """What is wrong with the other names of a job type, in the words that follow its name."""
    if name in aliases:
        return f"has its own name {name!r} among its aliases"
    twice = next((alias for alias in aliases if aliases.count(alias) > 1), None)
    return None if twice is None else f"has the alias {twice!r} twice"
