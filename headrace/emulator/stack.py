"""The local stack: runs the database, functions, streams, schedules and gateway of template.yaml on one machine."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import aioboto3
from botocore.exceptions import BotoCoreError, ClientError

from functions.adapters import job_repository
from functions.runtime import LazyClient, LazyS3, now
from functions.settings import (
    ENDPOINT_VARIABLE,
    LOCAL_VARIABLES,
    S3_ENDPOINT_VARIABLE,
    SECRETS_VARIABLE,
    ApiSettings,
    Settings,
    read_api_settings,
    read_settings,
)
from headrace.authoring.frozen import Frozen
from headrace.emulator.background import (
    EMBEDDED_POLL_SECONDS,
    REMOTE_POLL_SECONDS,
    Services,
    background,
    concurrency,
)
from headrace.emulator.cloudformation import InvalidParameter
from headrace.emulator.code_folders import code_folders, search_path
from headrace.emulator.credentials import use_credentials, with_profile
from headrace.emulator.database import ALL_SERVICES, QUEUES_AND_S3, StackError, embedded_database, remove_state
from headrace.emulator.function_pool import FunctionPool
from headrace.emulator.gateway import Gateway
from headrace.emulator.handler_variables import HandlerVariables, Sources, profile_variables
from headrace.emulator.listening import check_port, serve
from headrace.emulator.log_file import rotate
from headrace.emulator.observer import Observer, OnStderr
from headrace.emulator.page_build import build_routes
from headrace.emulator.page_sessions import PageSessions
from headrace.emulator.queues import QUEUES_VARIABLE, ensure_queues
from headrace.emulator.reloading import Reloaded, reload_on_change, report_broken
from headrace.emulator.signatures import local_roles
from headrace.emulator.state import Folder, Running
from headrace.emulator.tables import ensure_buckets, ensure_tables
from headrace.emulator.template import Stack, declared_job_types, load_stack
from headrace.emulator.tokens import AUDIENCE, ISSUER, local_authority
from headrace.emulator.unfinished import report_unfinished

Watch = Callable[[], Coroutine[None, None, None]]
"""Runs until something that the stack needs has died, then raises `StackError`."""


class Options(Frozen):
    """Options of one run of the stack."""

    host: str = "127.0.0.1"
    port: int = 8080
    """0 picks a free port."""
    endpoint_url: str | None = None
    """A database to use instead of the embedded one."""
    services_url: str | None = None
    """Queues and S3 to use beside that database, instead of the embedded ones."""
    database: tuple[str, int] | None = None
    """Host and port where the embedded database listens; None picks a free port of 127.0.0.1."""
    fresh: bool = False
    """Delete the embedded database's state first."""
    allowed_hosts: str = ""
    """Private hosts that http.request may reach."""
    cors_origins: str = ""
    """Origins of web pages that may call the API, separated by commas."""
    log_level: str = "INFO"
    reload: bool = False
    """Reload functions when their code changes; while it cannot be imported, wait for the fix."""
    sweep_seconds: float | None = None
    """Between two sweeps; None is as the template says."""
    code: tuple[Path, ...] = ()
    """Folders where functions find code, besides Headrace's and the project's."""
    variables: Sources = Sources()
    """Of the variables that handlers have besides the template's; by default none."""


def parameters(
    folder: Folder, allowed_hosts: str = "", log_level: str = "INFO", cors_origins: str = ""
) -> dict[str, str]:
    """The values of the template's parameters on this machine."""
    return {
        "JwtIssuer": ISSUER,
        "JwtAudience": AUDIENCE,
        "CursorKey": folder.secret("cursor-key"),
        "HttpRequestAllowedHosts": allowed_hosts,
        "LogLevel": log_level,
        "CorsOrigins": cors_origins,
        "JobTypes": declared_job_types(os.environ),
    }


SECRETS_HERE = {SECRETS_VARIABLE: "environment"}
"""Secrets are variables of the handlers, as `.env` has them."""


def settings(stack: Stack, endpoint_url: str) -> Settings:
    """The functions' settings, for commands that access the tables directly."""
    return read_settings({**stack.functions["ApiFunction"].environment, ENDPOINT_VARIABLE: endpoint_url})


def api_settings(stack: Stack) -> ApiSettings:
    """The API's own settings, for commands that access the user tables directly."""
    return read_api_settings(stack.functions["ApiFunction"].environment)


@asynccontextmanager
async def running_stack(
    folder: Folder,
    options: Options,
    adapt: Callable[[Stack], Stack] = lambda stack: stack,
    observer: Observer | None = None,
) -> AsyncIterator[Running]:
    """Start the stack, yield its addresses, and stop it: the gateway first, the streams once drained.

    `adapt` may change what the template declares, such as handlers or limits. `observer` sees what happens; by default,
    problems are printed to stderr.
    """
    observer = observer or OnStderr()
    folder.create()
    other = folder.running()
    if other is not None:
        raise StackError(f"A stack already runs in this folder, at {other.url} (process {other.pid}); stop it first.")
    stack = adapt(_declared(folder, options))
    profile, variables = profile_variables(options.variables), _variables(stack, options, observer)
    async with AsyncExitStack() as running:
        check_port(options.host, options.port)
        endpoint_url, beside_url, watch, is_full = await running.enter_async_context(_services(folder, options))
        credentials = use_credentials(endpoint_url)
        await _prepare_tables(stack, endpoint_url, folder if options.endpoint_url is None else None)
        await _prepare_queues(stack, beside_url)
        await _prepare_buckets(stack, beside_url)
        path = os.pathsep.join(map(str, (*search_path(), *options.code)))
        urls = {ENDPOINT_VARIABLE: endpoint_url, QUEUES_VARIABLE: beside_url, S3_ENDPOINT_VARIABLE: beside_url}
        extra = {**credentials, **urls, **SECRETS_HERE, "PYTHONPATH": path}
        by_function = dict.fromkeys(stack.functions, extra)
        if profile is not None:
            with_own = {**with_profile(profile, endpoint_url, beside_url, path), **SECRETS_HERE}
            by_function |= dict.fromkeys(stack.running_jobs, with_own)
        pools = await running.enter_async_context(_functions(stack, folder, by_function, variables, observer, options))
        watches: tuple[Watch, ...] = (watch,)
        if options.reload:
            watches = (*watches, partial(_reloading, stack, pools, variables, observer))
        services = Services(
            database_url=endpoint_url,
            queues_url=beside_url,
            poll_seconds=EMBEDDED_POLL_SECONDS if options.endpoint_url is None else REMOTE_POLL_SECONDS,
            sweep_seconds=options.sweep_seconds,
        )
        unfinished = partial(_report_unfinished, stack, endpoint_url)
        await running.enter_async_context(background(stack, folder, pools, services, watches, unfinished))
        authority = local_authority(folder)
        gateway = Gateway(
            stack.routes,
            pools,
            authority,
            local_roles(folder),
            report=observer.report,
            cors=stack.cors,
            own=(*PageSessions(folder, authority, now).routes(), *build_routes(watched=options.reload)),
            is_full=is_full,
        )
        url = await serve(running, gateway.runner(), options.host, options.port)
        started = Running(url=url, endpoint_url=endpoint_url, queues_url=beside_url, s3_url=beside_url, pid=os.getpid())
        folder.note(started)
        running.callback(folder.forget)
        yield started


def _variables(stack: Stack, options: Options, observer: Observer) -> HandlerVariables:
    """The handlers' own variables, with a report of those that are left out."""
    of_functions = {name for function in stack.functions.values() for name in function.environment}
    variables = HandlerVariables(options.variables, {*of_functions, *LOCAL_VARIABLES})
    for note in variables.read():
        observer.report(note, "problem")
    return variables


def _declared(folder: Folder, options: Options) -> Stack:
    try:
        return load_stack(parameters(folder, options.allowed_hosts, options.log_level, options.cors_origins))
    except InvalidParameter as error:
        raise StackError(f"The template does not permit this: {error}.") from error


@asynccontextmanager
async def _services(folder: Folder, options: Options) -> AsyncIterator[tuple[str, str, Watch, Callable[[], bool]]]:
    """Yield the URL of the database, that of queues and S3, a watch, and whether the disk is nearly full.

    What is embedded is started for this run. One MiniStack serves all. Beside a given database it serves queues and S3
    alone: DynamoDB Local has neither.
    """
    if options.endpoint_url and options.services_url:
        yield options.endpoint_url, options.services_url, _nothing_to_watch, lambda: False
        return
    state = folder.blobs if options.endpoint_url else folder.database
    if options.fresh:
        remove_state(state)
    log = folder.logs / "database.log"
    rotate(log)
    settings = QUEUES_AND_S3 if options.endpoint_url else ALL_SERVICES
    at = None if options.endpoint_url else options.database
    async with embedded_database(state, log, settings, at) as embedded:
        yield options.endpoint_url or embedded.url, embedded.url, embedded.watch, embedded.is_nearly_full


async def _nothing_to_watch() -> None:
    await asyncio.Event().wait()


async def _prepare_tables(stack: Stack, endpoint_url: str, embedded: Folder | None) -> None:
    """Create the tables; `embedded` is the folder of a database that the stack has started itself."""
    client = LazyClient(endpoint_url)
    try:
        await ensure_tables(await client(), tuple(stack.tables.values()))
    except (ClientError, BotoCoreError) as error:
        problem = f"The database at {endpoint_url} does not respond like DynamoDB ({type(error).__name__})"
        advice = (
            "check --endpoint-url, or omit it to use the embedded database."
            if embedded is None
            else f"start it again if this machine was busy; see {embedded.logs / 'database.log'}."
        )
        raise StackError(f"{problem}; {advice}") from error
    finally:
        await client.close()


async def _prepare_queues(stack: Stack, queues_url: str) -> None:
    async with aioboto3.Session().client("sqs", endpoint_url=queues_url) as client:
        await ensure_queues(client, stack.queues.values())


async def _prepare_buckets(stack: Stack, s3_url: str) -> None:
    client = LazyS3(s3_url)
    try:
        await ensure_buckets(await client(), stack.buckets)
    finally:
        await client.close()


@asynccontextmanager
async def _functions(
    stack: Stack,
    folder: Folder,
    extra: Mapping[str, Mapping[str, str]],
    variables: HandlerVariables,
    observer: Observer,
    options: Options,
) -> AsyncIterator[dict[str, FunctionPool]]:
    """Yield a pool for each function, each with one warm environment."""
    pools = {
        name: FunctionPool(
            function,
            extra[name],
            folder.function_log(name),
            concurrency(stack, name),
            observer,
            waits=options.reload,
            variables=variables if name in stack.running_jobs else dict,
        )
        for name, function in stack.functions.items()
    }
    try:
        report_broken(await asyncio.gather(*(pool.warm_up() for pool in pools.values())), observer)
        yield pools
    finally:
        await asyncio.gather(*(pool.stop() for pool in pools.values()))


async def _reloading(
    stack: Stack, pools: Mapping[str, FunctionPool], variables: HandlerVariables, observer: Observer
) -> None:
    """Reload on changes of the code that the functions run, and of their handlers' variables."""
    streamed = stack.running_jobs
    routed = {route.function for route in stack.routes} - streamed
    functions = Reloaded(
        by_stream={name: pool for name, pool in pools.items() if name in streamed},
        by_request={name: pool for name, pool in pools.items() if name in routed},
        by_schedule={name: pool for name, pool in pools.items() if name not in streamed | routed},
    )
    package = declared_job_types(os.environ)
    await reload_on_change(lambda: code_folders(package, search_path()), functions, observer, variables)


async def _report_unfinished(stack: Stack, endpoint_url: str) -> None:
    client = LazyClient(endpoint_url)
    try:
        await report_unfinished(job_repository(settings(stack, endpoint_url), client), now())
    finally:
        await client.close()
