"""Lambda's execution environment: a process that receives its events through the Runtime API."""

import asyncio
import json
import resource
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

from aiohttp import web
from pydantic import JsonValue

from headrace.authoring.frozen import Frozen
from headrace.emulator.cloudformation import ACCOUNT, REGION, ROOT
from headrace.emulator.database import StackError
from headrace.emulator.log_file import LogFile, LogPipe
from headrace.emulator.observer import CannotStart
from headrace.emulator.template import LambdaFunction

API = "/2018-06-01/runtime"
INIT_SECONDS = 60
MEMORY_SECONDS = 0.1
"""How often an environment's memory is checked."""
MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
"""Lambda's limit for a synchronous request or response, in UTF-8."""
RESPONSE_TOO_LARGE = "Function.ResponseSizeTooLarge"
CANNOT_START = "Runtime.InitError"
"""The error type of an invocation whose function has no environment because none can start."""
UNREADABLE = "Runtime.MarshalError"
"""The error type that AWS's runtimes give a response that is not JSON."""


class Returned(Frozen):
    """The handler returned `payload`."""

    payload: JsonValue


class FunctionFailed(Frozen):
    """The handler raised, ran out of time, or its process ended."""

    error_type: str
    message: str


Result = Returned | FunctionFailed
Seen = Callable[[int, Sequence[str]], None]
"""Is called with the number of an environment and the lines that it wrote."""

_NUMBERS = count(1)


def _unseen(_number: int, _lines: Sequence[str]) -> None:
    """Show nothing: the lines are in the log."""


class _Invocation:
    """An event being processed by an environment, and the future of its result."""

    def __init__(self, event: JsonValue, timeout: float) -> None:
        self.id = str(uuid.uuid4())
        self.body = json.dumps(event).encode()  # ASCII, because an event of `headrace invoke` may hold lone surrogates.
        self.deadline = time.time() + timeout
        self.result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

    def settle(self, result: Result) -> None:
        if not self.result.done():
            self.result.set_result(result)


class Environment:
    """One execution environment: a process, and a Runtime API server for this process alone."""

    def __init__(
        self, function: LambdaFunction, environment: Mapping[str, str], log: LogFile, seen: Seen = _unseen
    ) -> None:
        self.number = next(_NUMBERS)
        """Of this environment in this process."""
        self._function = function
        self._environment = environment
        self._log = log.path
        self._pipe = LogPipe(log, lambda lines: seen(self.number, lines))
        self._events: asyncio.Queue[_Invocation] = asyncio.Queue(1)
        self._current: _Invocation | None = None
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._runner: web.AppRunner | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._limiter: asyncio.Task[None] | None = None
        self._out_of_memory: str | None = None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def alive(self) -> bool:
        """Whether its process can take another event."""
        return self._process is not None and self._process.returncode is None

    async def start(self, command: tuple[str, ...] = (sys.executable, "-m", "headrace.emulator.bootstrap")) -> None:
        """Start the process and wait until it requests its first event; raises `StackError` if it does not."""
        address = await self._serve()
        with self._pipe.writing() as sink:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                cwd=ROOT,
                env={**self._environment, "AWS_LAMBDA_RUNTIME_API": address},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        self._watcher = asyncio.create_task(self._watch(self._process))
        self._limiter = asyncio.create_task(self._limit_memory(self._process))
        try:
            async with asyncio.timeout(INIT_SECONDS):
                await self._ready
        except TimeoutError:
            await self.stop()
            raise StackError(f"{self._function.name} did not start in {INIT_SECONDS} s; see {self._log}.") from None

    async def invoke(self, event: JsonValue) -> Result:
        """Run one event. If it exceeds the function's timeout the process is killed, as on AWS."""
        invocation = _Invocation(event, self._function.timeout)
        self._current = invocation
        if not self.alive:
            invocation.settle(FunctionFailed(error_type="Runtime.ExitError", message="Runtime exited before the event"))
        await self._events.put(invocation)
        try:
            # Not `wait_for`: before Python 3.12 it swallows a cancellation that coincides with the result (gh-86296),
            # so a task that invokes in a loop could not be cancelled.
            async with asyncio.timeout(self._function.timeout):
                result = await invocation.result
            self._pipe.drain()  # What it wrote comes before its result.
            return result  # noqa: TRY300 - within, a timeout could still end it
        except TimeoutError:
            await self.stop()
            timed_out = f"Task timed out after {self._function.timeout:.2f} seconds"
            return FunctionFailed(error_type="Sandbox.Timedout", message=timed_out)
        finally:
            self._current = None

    async def stop(self) -> None:
        """Kill the process and stop its Runtime API server."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._limiter is not None:
            self._limiter.cancel()
        if self._watcher is not None:
            await self._watcher
        self._pipe.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        if not self._ready.done():
            self._ready.set_exception(
                StackError(f"{self._function.name} ended with code {code} before it was ready; see {self._log}.")
            )
        if self._current is not None:
            exited = f"Runtime exited with code {code}" if code >= 0 else f"Runtime exited on signal {-code}"
            self._current.settle(
                FunctionFailed(error_type="Runtime.ExitError", message=exited)
                if self._out_of_memory is None
                else FunctionFailed(error_type="Runtime.OutOfMemory", message=self._out_of_memory)
            )

    async def _limit_memory(self, process: asyncio.subprocess.Process) -> None:
        """Kill the process when it exceeds the function's memory, as Lambda does; needs `/proc`."""
        limit = self._function.memory_size * 2**20
        while self.alive and (used := _resident(process.pid)) is not None:
            if used > limit:
                self._out_of_memory = f"Memory Size: {self._function.memory_size} MB, used: {used // 2**20} MB"
                with suppress(ProcessLookupError):
                    process.kill()
                return
            await asyncio.sleep(MEMORY_SECONDS)

    async def _serve(self) -> str:
        app = web.Application()
        app.router.add_get(f"{API}/invocation/next", self._next)
        app.router.add_post(f"{API}/invocation/{{id}}/response", self._response)
        app.router.add_post(f"{API}/invocation/{{id}}/error", self._error)
        app.router.add_post(f"{API}/init/error", self._init_error)
        # A killed process no longer waits for an event, so its pending request must not delay the shutdown.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        return f"{host}:{port}"

    async def _next(self, _request: web.Request) -> web.Response:
        if not self._ready.done():
            self._ready.set_result(None)
        invocation = await self._events.get()
        return web.Response(
            body=invocation.body,
            content_type="application/json",
            headers={
                "Lambda-Runtime-Aws-Request-Id": invocation.id,
                "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": function_arn(self._function.name),
            },
        )

    async def _response(self, request: web.Request) -> web.Response:
        return self._settle(request, _result(await _posted(request)))

    async def _error(self, request: web.Request) -> web.Response:
        return self._settle(request, _failure(_described(await _posted(request))))

    async def _init_error(self, request: web.Request) -> web.Response:
        described = _described(await _posted(request))
        failure, place = _failure(described), described.get("place")
        if not self._ready.done():
            reason = f"{failure.error_type}: {failure.message}"
            place = _text(place) if place else None
            self._ready.set_exception(CannotStart(self._function.name, reason, place, str(self._log)))
        return web.json_response({"status": "OK"}, status=202)

    def _settle(self, request: web.Request, result: Result) -> web.Response:
        if self._current is None or self._current.id != request.match_info["id"]:
            return web.json_response({"errorType": "InvalidRequestID"}, status=400)
        self._current.settle(result)
        if isinstance(result, FunctionFailed) and result.error_type == RESPONSE_TOO_LARGE:
            return web.json_response({"errorType": "RequestEntityTooLarge"}, status=413)
        return web.json_response({"status": "OK"}, status=202)


async def _posted(request: web.Request) -> bytes:
    """Read a runtime's whole request body, as it expects, but keep no more than one byte over Lambda's limit."""
    kept = bytearray()
    async for part in request.content.iter_any():
        kept += part[: MAX_PAYLOAD_BYTES + 1 - len(kept)]
    return bytes(kept)


def _result(posted: bytes) -> Result:
    """The result of an invocation whose response was posted; a response too large or not JSON is a failure."""
    if len(posted) > MAX_PAYLOAD_BYTES:
        problem = f"Response payload size exceeded maximum allowed payload size ({MAX_PAYLOAD_BYTES} bytes)."
        return FunctionFailed(error_type=RESPONSE_TOO_LARGE, message=problem)
    try:
        return Returned(payload=json.loads(posted))
    except (ValueError, RecursionError) as error:
        return FunctionFailed(
            error_type=UNREADABLE, message=f"The response is not a JSON document: {type(error).__name__}"
        )


def _resident(pid: int) -> int | None:
    """The resident memory of a process in bytes; None if unknown."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return None


def function_arn(name: str) -> str:
    """The ARN of a local function."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def _described(posted: bytes) -> dict[str, JsonValue]:
    """A runtime's description of an error; empty when it is not one."""
    try:
        described: JsonValue = json.loads(posted)
    except (ValueError, RecursionError):
        return {}
    return described if isinstance(described, dict) else {}


def _failure(described: Mapping[str, JsonValue]) -> FunctionFailed:
    return FunctionFailed(
        error_type=_text(described.get("errorType", "Unhandled")), message=_text(described.get("errorMessage", ""))
    )


def _text(value: JsonValue) -> str:
    """Convert to a string that UTF-8 can encode; lone surrogates are replaced."""
    return str(value).encode(errors="replace").decode()
