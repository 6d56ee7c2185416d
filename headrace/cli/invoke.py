"""`headrace invoke`: runs one function with one event in one process, like `sam local invoke` without Docker."""

import os

import click
from pydantic import JsonValue

from functions.settings import ENDPOINT_VARIABLE, S3_ENDPOINT_VARIABLE
from headrace.cli.target import ExitCode, fail, json_text, without_stack
from headrace.emulator.code_folders import search_path
from headrace.emulator.credentials import credentials_for
from headrace.emulator.execution_environment import FunctionFailed, Result, Returned
from headrace.emulator.function_pool import FunctionPool
from headrace.emulator.queues import QUEUES_VARIABLE
from headrace.emulator.stack import parameters
from headrace.emulator.state import Folder, Running
from headrace.emulator.template import LambdaFunction, load_stack


async def invoke_once(
    folder: Folder, name: str, event: JsonValue, endpoint_url: str | None, *, as_json: bool = False
) -> int:
    """Print the function's result to stdout and its log to stderr, or both as one document on stdout.

    Returns 0 on success, 1 on failure.
    """
    running = folder.running()
    database = endpoint_url or (running.endpoint_url if running else None)
    if database is None:
        fail(f"{without_stack()}, or give --endpoint-url", ExitCode.ERROR)
    functions = load_stack(parameters(folder)).functions
    function = _function(name, functions)
    if function is None:
        known = ", ".join(sorted(function.folder for function in functions.values()))
        fail(f"there is no function {name!r}; the functions are {known}", ExitCode.NOT_FOUND)
    folder.create()
    log = folder.logs / f"invoke-{function.name}.log"
    log.write_text("")
    own = running if not endpoint_url else None
    s3_url = running.s3_url if running and running.s3_url else database
    urls = {ENDPOINT_VARIABLE: database, S3_ENDPOINT_VARIABLE: s3_url, **_queues(own)}
    extra = {**credentials_for(database), **urls, "PYTHONPATH": os.pathsep.join(map(str, search_path()))}
    pool = FunctionPool(function, extra, log, max_concurrency=1)
    try:
        result = await pool.invoke(event)
    finally:
        await pool.stop()
    logged = log.read_text(errors="backslashreplace")
    failed = isinstance(result, FunctionFailed)
    if as_json:
        click.echo(json_text({"error" if failed else "response": _said(result), "log": [*logged.splitlines()]}))
        return int(failed)
    click.echo(logged, err=True, nl=False)
    click.echo(json_text(_said(result)))
    return int(failed)


def _said(result: Result) -> JsonValue:
    match result:
        case Returned(payload=payload):
            return payload
        case FunctionFailed():
            return {"errorType": result.error_type, "errorMessage": result.message}


def _queues(running: Running | None) -> dict[str, str]:
    """The variables by which a function finds the stack's queues; without a stack it has none."""
    return {QUEUES_VARIABLE: running.queues_url} if running and running.queues_url else {"WAKE_QUEUE_URL": ""}


def _function(name: str, functions: dict[str, LambdaFunction]) -> LambdaFunction | None:
    """Find a function by its logical id or by the name of its folder."""
    return next((each for id, each in functions.items() if name in {id, each.folder}), None)
