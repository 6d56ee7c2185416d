"""Imports the code of an artifact and creates its AWS clients; `proof.py` runs it as `python -I -S -B`.

Only the standard library and the artifact can be imported. It reads its order as JSON from stdin, and its last line on
stdout is a JSON list of failures: stage (`own`, `later`, `client`, `start`), what, where and error.
"""

import asyncio
import gc
import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder, ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TypedDict

REGION = "us-east-1"
"""A client of every AWS service can be created for it; no service is called."""


class Failure(TypedDict):
    """One thing that the artifact cannot do."""

    stage: str
    what: str
    where: str
    error: str


class Own(TypedDict):
    """A module of ours, and its file."""

    module: str
    where: str


class Later(TypedDict):
    """An import inside a function, and its location."""

    module: str
    names: list[str]
    where: str


class Client(TypedDict):
    """An AWS client that the code creates."""

    service: str
    kind: str
    sdk: str
    where: str


class Order(TypedDict):
    """What to check."""

    artifact: str
    compiled: str | None
    environment: dict[str, str]
    handler: str
    own: list[Own]
    later: list[Later]
    clients: list[Client]


class CompiledModules:
    """Finds compiled modules only, in another folder than the artifact, whose own are for another machine."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a compiled module; None if the folder does not have it."""
        finder = FileFinder(
            str(self._folder.joinpath(*name.split(".")[:-1])), (ExtensionFileLoader, EXTENSION_SUFFIXES)
        )
        spec = finder.find_spec(name)
        return spec if spec is not None and spec.loader is not None else None


def main(order: Order) -> list[Failure]:
    """Run all checks; if our own modules fail to import, report this before checking what needs them."""
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["artifact"])
    sys.path.insert(0, order["artifact"])
    if order["compiled"] is not None:
        sys.meta_path.insert(0, CompiledModules(order["compiled"]))
    failures: list[Failure] = []
    for own in order["own"]:
        _try(failures, "own", own["module"], own["where"], partial(importlib.import_module, own["module"]))
    if failures:
        return failures
    _try(failures, "start", order["handler"], "template.yaml", partial(_entry_point, order["handler"]))
    for later in order["later"]:
        _try(failures, "later", later["module"], later["where"], partial(_import, later))
    for client in order["clients"]:
        _try(failures, "client", client["service"], client["where"], partial(_make, client))
    return failures


def _try(failures: list[Failure], stage: str, what: str, where: str, attempt: Callable[[], object]) -> None:
    try:
        attempt()
    except BaseException as error:  # noqa: BLE001 - this runs code of others; any failure is reported
        text = " ".join(str(error).split())
        reason = f"{type(error).__name__}: {text}" if text else type(error).__name__
        failures.append(Failure(stage=stage, what=what, where=where, error=reason))


def _entry_point(handler: str) -> None:
    module, _, name = handler.rpartition(".")
    if not callable(getattr(importlib.import_module(module), name)):
        raise TypeError(f"{handler} cannot be called")


def _import(later: Later) -> None:
    module = importlib.import_module(later["module"])
    for name in later["names"]:
        if not hasattr(module, name):
            importlib.import_module(f"{later['module']}.{name}")


@cache
def _session(sdk: str) -> object:
    session: object = importlib.import_module(sdk).Session(region_name=REGION)
    return session


def _make(client: Client) -> None:
    made = getattr(_session(client["sdk"]), client["kind"])(client["service"])
    if client["sdk"] == "aioboto3":
        asyncio.run(_opened(made))


async def _opened(made: object) -> None:
    await getattr(made, "__aenter__")()  # noqa: B009
    await getattr(made, "__aexit__")(None, None, None)  # noqa: B009


if __name__ == "__main__":
    gc.disable()  # The process runs for seconds and only imports.
    output, sys.stdout = sys.stdout, sys.stderr  # Keep what the imported code prints out of our output.
    output.write(f"{json.dumps(main(json.load(sys.stdin)))}\n")
    output.flush()
