"""The local stack: runs the database, functions, streams, schedules and gateway of template.yaml on one machine."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import aioboto3
from aiohttp import web
from botocore.exceptions import BotoCoreError, ClientError

from functions.compose import job_repository
from functions.runtime import LazyClient, LazyS3, now
from functions.settings import (
    ENDPOINT_VARIABLE,
    LOCAL_DATABASE_VARIABLE,
    S3_ENDPOINT_VARIABLE,
    ApiSettings,
    Settings,
    read_api_settings,
    read_settings,
)
from headrace.authoring.frozen import Frozen
from headrace.emulator.cloudformation import InvalidParameter
from headrace.emulator.code_folders import code_folders, search_path
from headrace.emulator.credentials import use_credentials, with_profile
from headrace.emulator.database import StackError, embedded_database, remove_state
from headrace.emulator.event_source_mapping import StreamPump
from headrace.emulator.function_pool import FunctionPool
from headrace.emulator.gateway import Gateway
from headrace.emulator.handler_variables import HandlerVariables, Sources, profile_variables
from headrace.emulator.log_file import rotate
from headrace.emulator.observer import Observer, OnStderr
from headrace.emulator.reloading import Reloaded, reload_on_change, report_broken
from headrace.emulator.schedule import run_schedule
from headrace.emulator.state import Folder, Running
from headrace.emulator.tables import ensure_buckets, ensure_tables
from headrace.emulator.template import EventSourceMapping, Stack, declared_job_types, load_stack
from headrace.emulator.tokens import AUDIENCE, ISSUER, local_authority
from headrace.emulator.unfinished import report_unfinished

SWEEP_SECONDS = 1.0
"""Locally the sweeper runs every second, so that a retry does not wait up to a minute."""
MAX_API_CONCURRENCY = 8
MAX_STREAM_CONCURRENCY = max(4, os.cpu_count() or 1)
"""Limits worker processes, however many lanes the stream has: more of them than CPUs only slow a laptop down."""
DRAIN_SECONDS = 10.0
EMBEDDED_POLL_SECONDS = 0.05
REMOTE_POLL_SECONDS = 0.5

Watch = Callable[[], Coroutine[None, None, None]]
"""Runs until something that the stack needs has died, then raises `StackError`."""


class Options(Frozen):
    """Options of one run of the stack."""

    host: str = "127.0.0.1"
    port: int = 8080
    """0 picks a free port."""
    endpoint_url: str | None = None
    """A database to use instead of the embedded one."""
    database: tuple[str, int] | None = None
    """Host and port where the embedded database listens; None picks a free port of 127.0.0.1."""
    fresh: bool = False
    """Delete the embedded database's state first."""
    allowed_hosts: str = ""
    """Private hosts that http.request may reach."""
    log_level: str = "INFO"
    reload: bool = False
    """Reload functions when their code changes; while it cannot be imported, wait for the fix."""
    variables: Sources = Sources()
    """Of the variables that handlers have besides the template's; by default none."""


def parameters(folder: Folder, allowed_hosts: str = "", log_level: str = "INFO") -> dict[str, str]:
    """The values of the template's parameters on this machine."""
    return {
        "JwtIssuer": ISSUER,
        "JwtAudience": AUDIENCE,
        "CursorKey": folder.secret("cursor-key"),
        "HttpRequestAllowedHosts": allowed_hosts,
        "LogLevel": log_level,
        "JobTypes": declared_job_types(os.environ),
    }


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
        _check_port(options)
        endpoint_url, s3_url, watches = await running.enter_async_context(_database(folder, options))
        credentials = use_credentials(endpoint_url)
        await _prepare_tables(stack, endpoint_url)
        await _prepare_buckets(stack, s3_url)
        path, s3 = os.pathsep.join(map(str, search_path())), {S3_ENDPOINT_VARIABLE: s3_url}
        extra = {**credentials, **s3, ENDPOINT_VARIABLE: endpoint_url, "PYTHONPATH": path}
        by_function = dict.fromkeys(stack.functions, extra)
        if profile is not None:
            by_function |= dict.fromkeys(stack.streamed, with_profile(profile, endpoint_url, path) | s3)
        pools = await running.enter_async_context(_functions(stack, folder, by_function, variables, observer, options))
        poll_seconds = EMBEDDED_POLL_SECONDS if options.endpoint_url is None else REMOTE_POLL_SECONDS
        if options.reload:
            watches = (*watches, partial(_reloading, stack, pools, variables, observer))
        await running.enter_async_context(_background(stack, folder, pools, endpoint_url, poll_seconds, watches))
        gateway = Gateway(stack.routes, pools, local_authority(folder), report=observer.report)
        url = await _serve(running, gateway.runner(), options)
        started = Running(url=url, endpoint_url=endpoint_url, s3_url=s3_url, pid=os.getpid())
        folder.note(started)
        running.callback(folder.forget)
        yield started


def _variables(stack: Stack, options: Options, observer: Observer) -> HandlerVariables:
    """The handlers' own variables, with a report of those that are left out."""
    of_functions = {name for function in stack.functions.values() for name in function.environment}
    variables = HandlerVariables(options.variables, {*of_functions, LOCAL_DATABASE_VARIABLE})
    for note in variables.read():
        observer.report(note, "problem")
    return variables


def _declared(folder: Folder, options: Options) -> Stack:
    try:
        return load_stack(parameters(folder, options.allowed_hosts, options.log_level))
    except InvalidParameter as error:
        raise StackError(f"The template does not permit this: {error}.") from error


async def _serve(running: AsyncExitStack, runner: web.AppRunner, options: Options) -> str:
    await runner.setup()
    running.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, options.host, options.port).start()
    except OSError as error:
        raise _cannot_listen(options, error) from error
    port: int = runner.addresses[0][1]
    shown = f"[{options.host}]" if ":" in options.host else options.host
    return f"http://{shown}:{port}"


def _check_port(options: Options) -> None:
    """Raise `StackError` if the port is taken, before anything slow is started."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.host, options.port))
        except (OSError, UnicodeError) as error:
            raise _cannot_listen(options, error) from error


def _cannot_listen(options: Options, error: OSError | UnicodeError) -> StackError:
    where = f"port {options.port} of {options.host}"
    if isinstance(error, UnicodeError):
        return StackError(f"Cannot listen on {where} (not a host name); choose another with --host.")
    if error.errno == errno.EADDRINUSE:
        return StackError(f"Something already listens on {where}; stop it, or choose another port with --port.")
    return StackError(f"Cannot listen on {where} ({error.strerror or error}); choose another with --port or --host.")


@asynccontextmanager
async def _database(folder: Folder, options: Options) -> AsyncIterator[tuple[str, str, tuple[Watch, ...]]]:
    """Yield the URLs of database and S3, and their watches; what is embedded is started for this run.

    Beside a given database S3 is embedded all the same: DynamoDB Local has none.
    """
    if options.fresh:
        remove_state(folder.blobs if options.endpoint_url else folder.database)
    log = folder.logs / "database.log"
    rotate(log)
    if options.endpoint_url is not None:
        async with embedded_database(folder.blobs, log, {"SERVICES": "s3"}) as blobs:
            yield options.endpoint_url, blobs.url, (blobs.watch,)
        return
    async with embedded_database(folder.database, log, at=options.database) as database:
        yield database.url, database.url, (database.watch,)


async def _prepare_tables(stack: Stack, endpoint_url: str) -> None:
    client = LazyClient(endpoint_url)
    try:
        await ensure_tables(await client(), tuple(stack.tables.values()))
    except (ClientError, BotoCoreError) as error:
        problem = f"The database at {endpoint_url} does not respond like DynamoDB ({type(error).__name__})"
        raise StackError(f"{problem}; check --endpoint-url, or omit it to use the embedded database.") from error
    finally:
        await client.close()


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
            _concurrency(stack, name),
            observer,
            waits=options.reload,
            variables=variables if name in stack.streamed else dict,
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
    streamed = stack.streamed
    routed = {route.function for route in stack.routes} - streamed
    functions = Reloaded(
        by_stream={name: pool for name, pool in pools.items() if name in streamed},
        by_request={name: pool for name, pool in pools.items() if name in routed},
        by_schedule={name: pool for name, pool in pools.items() if name not in streamed | routed},
    )
    package = declared_job_types(os.environ)
    await reload_on_change(lambda: code_folders(package, search_path()), functions, observer, variables)


def _concurrency(stack: Stack, function: str) -> int:
    """How many environments a function may have: one per lane of its stream (limited), several for an API, or one."""
    lanes = [mapping.parallelization_factor for mapping in stack.mappings if mapping.function == function]
    if lanes:
        return min(max(lanes), MAX_STREAM_CONCURRENCY)
    return MAX_API_CONCURRENCY if _is_routed(stack, function) else 1


def _is_routed(stack: Stack, function: str) -> bool:
    return any(route.function == function for route in stack.routes)


@asynccontextmanager
async def _background(
    stack: Stack,
    folder: Folder,
    pools: Mapping[str, FunctionPool],
    endpoint_url: str,
    poll_seconds: float,
    watches: tuple[Watch, ...],
) -> AsyncIterator[None]:
    """Run streams and schedules in the background; drain the streams at the end, so that no trigger is lost."""
    async with AsyncExitStack() as clients:
        pumps = [await _pump(clients, folder, mapping, pools, endpoint_url, poll_seconds) for mapping in stack.mappings]
        work = [
            *(watch() for watch in watches),
            *(pump.run() for pump in pumps),
            *(run_schedule(schedule, pools[schedule.function], SWEEP_SECONDS) for schedule in stack.schedules),
        ]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
            try:
                yield
                # What waits for mended code would wait until the time is over.
                seconds = 0.0 if any(pools[mapping.function].is_held for mapping in stack.mappings) else DRAIN_SECONDS
                drained = await asyncio.gather(*(pump.drain(seconds) for pump in pumps))
                if not all(drained):
                    await _report_unfinished(stack, endpoint_url)
            finally:
                for task in tasks:
                    task.cancel()


async def _report_unfinished(stack: Stack, endpoint_url: str) -> None:
    client = LazyClient(endpoint_url)
    try:
        await report_unfinished(job_repository(settings(stack, endpoint_url), client), now())
    finally:
        await client.close()


async def _pump(
    clients: AsyncExitStack,
    folder: Folder,
    mapping: EventSourceMapping,
    pools: Mapping[str, FunctionPool],
    endpoint_url: str,
    poll_seconds: float,
) -> StreamPump:
    session = aioboto3.Session()
    tables = await clients.enter_async_context(session.client("dynamodb", endpoint_url=endpoint_url))
    described = await tables.describe_table(TableName=mapping.table)
    arn = described["Table"]["LatestStreamArn"]
    streams_url = endpoint_url.replace("://dynamodb.", "://streams.dynamodb.")
    streams = await clients.enter_async_context(session.client("dynamodbstreams", endpoint_url=streams_url))
    on_failure = folder.queue(mapping.on_failure or "discarded")
    return StreamPump(streams, arn, mapping, pools[mapping.function].invoke, on_failure, poll_seconds)
