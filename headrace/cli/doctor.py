"""`headrace doctor`: checks that everything the local stack needs is present."""

import importlib.util
import os
import sys

import httpx

from functions.job_types import InvalidJobTypes, load_job_types
from headrace.authoring.frozen import Frozen
from headrace.emulator.cloudformation import TEMPLATE, UnsupportedTemplate
from headrace.emulator.code_folders import search_path
from headrace.emulator.database import StackError
from headrace.emulator.database_environment import IS_CLONE, database_python
from headrace.emulator.state import Folder
from headrace.emulator.template import declared_job_types, load_stack

_PLACEHOLDERS = {"JwtIssuer": "https://doctor.test", "JwtAudience": "doctor", "CursorKey": "0" * 64}


class Finding(Frozen):
    """The result of one check."""

    what: str
    ok: bool
    detail: str


def checks(folder: Folder) -> tuple[Finding, ...]:
    """Run all checks and return their results, passed or failed."""
    return (_python(), _packages(), _database(), _template(), _job_types(), _folder(folder), _stack(folder))


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(what="Python", ok=sys.version_info >= (3, 11), detail=f"{version} (3.11 or newer is needed)")


def _packages() -> Finding:
    needed = (
        "aioboto3", "aiohttp", "click", "dotenv", "fastapi", "headrace_client", "httpx", "jwt", "mangum", "pydantic",
        "rich", "samtranslator", "watchfiles",
    )  # fmt: skip
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    detail = f"missing {', '.join(missing)}; run `make setup`" if missing else "all installed"
    return Finding(what="packages", ok=not missing, detail=detail)


def _database() -> Finding:
    there = database_python().exists()
    advice = "run `make setup`" if IS_CLONE else "the first `headrace dev` installs it"
    detail = "MiniStack is installed" if there else f"MiniStack is not installed; {advice}"
    return Finding(what="embedded database", ok=there or not IS_CLONE, detail=detail)


def _template() -> Finding:
    try:
        stack = load_stack(_PLACEHOLDERS)
    except (OSError, KeyError, UnsupportedTemplate) as error:
        return Finding(what="template", ok=False, detail=f"{TEMPLATE.name} cannot be used: {error}")
    return Finding(what="template", ok=True, detail=f"{len(stack.functions)} functions, {len(stack.tables)} tables")


def _job_types() -> Finding:
    sys.path[:0] = map(str, search_path())  # As in a function's process.
    try:
        found = load_job_types(declared_job_types(os.environ))
    except (InvalidJobTypes, StackError) as error:
        return Finding(what="job types", ok=False, detail=str(error))
    return Finding(what="job types", ok=True, detail=", ".join(found.names()))


def _folder(folder: Folder) -> Finding:
    try:
        folder.create()
    except OSError as error:
        return Finding(what="folder", ok=False, detail=f"{folder.path} cannot be written: {error.strerror}")
    return Finding(what="folder", ok=True, detail=str(folder.path))


def _stack(folder: Folder) -> Finding:
    running = folder.running()
    if running is None:
        return Finding(what="stack", ok=True, detail="not running in this folder; `headrace dev` starts it")
    try:
        healthy = httpx.get(f"{running.url}/healthz", timeout=5).is_success
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        detail = f"{running.url} does not respond: {error}; restart `headrace dev`"
        return Finding(what="stack", ok=False, detail=detail)
    return Finding(what="stack", ok=healthy, detail=f"{running.url} is {'healthy' if healthy else 'not healthy'}")
