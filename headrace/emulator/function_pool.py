"""The pool of a function's execution environments, as Lambda manages them."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from headrace.emulator.cloudformation import ROOT
from headrace.emulator.database import StackError
from headrace.emulator.execution_environment import Environment, FunctionFailed, Result
from headrace.emulator.template import LambdaFunction


class FunctionPool:
    """A function's environments: warm ones are reused, and another starts when none is free, up to a limit."""

    def __init__(self, function: LambdaFunction, extra: Mapping[str, str], log: Path, max_concurrency: int) -> None:
        self._function = function
        self._environment = environment_of(function, extra)
        self._log = log
        self._max = max_concurrency
        self._free: asyncio.LifoQueue[Environment] = asyncio.LifoQueue()
        self._all: set[Environment] = set()
        self._starting: asyncio.Task[None] | None = None

    async def warm_up(self) -> None:
        """Start one environment, so that a function that cannot start is reported at once."""
        await self._start()

    async def invoke(self, event: JsonValue) -> Result:
        """Run `event` in a free environment; when the limit is reached and all are busy, wait for one."""
        try:
            result = await self._run(event)
        except StackError as error:
            result = FunctionFailed(error_type="Runtime.InitError", message=str(error))
        if isinstance(result, FunctionFailed):
            problem = f"{self._function.name} failed: {result.error_type}: {result.message} (log: {self._log})"
            print(problem, file=sys.stderr)
        return result

    async def stop(self) -> None:
        """End every environment."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        await asyncio.gather(*(environment.stop() for environment in self._all))
        self._all.clear()

    async def _run(self, event: JsonValue) -> Result:
        environment = await self._acquire()
        try:
            result = await environment.invoke(event)
        except BaseException:
            # Its state is unknown, so it must not get another event; discarding it frees its place in the pool.
            await self._discard(environment)
            raise
        if environment.alive:
            self._free.put_nowait(environment)
        else:
            await self._discard(environment)
        return result

    async def _acquire(self) -> Environment:
        while True:
            environment = await self._next_free()
            if environment.alive:
                return environment
            await self._discard(environment)

    async def _next_free(self) -> Environment:
        """Return a warm environment; while none is free, start more, one at a time, up to the limit."""
        getting = asyncio.ensure_future(self._free.get())
        try:
            while not getting.done():
                if self._starting is None and self._free.empty() and len(self._all) < self._max:
                    self._starting = asyncio.create_task(self._start())
                starting = self._starting
                if starting is None:
                    await asyncio.wait({getting}, timeout=0.5)
                    continue
                await asyncio.wait({getting, starting}, return_when=asyncio.FIRST_COMPLETED)
                if starting.done() and self._starting is starting:
                    self._starting = None
                    starting.result()
            return getting.result()
        except BaseException:
            if not getting.cancel():
                self._free.put_nowait(getting.result())
            raise

    async def _start(self) -> None:
        environment = Environment(self._function, self._environment, self._log)
        self._all.add(environment)
        try:
            await environment.start()
        except BaseException:
            await self._discard(environment)
            raise
        self._free.put_nowait(environment)

    async def _discard(self, environment: Environment) -> None:
        self._all.discard(environment)
        await environment.stop()


def environment_of(function: LambdaFunction, extra: Mapping[str, str]) -> dict[str, str]:
    """The variables that Lambda sets, the template's and `extra`; from this machine only those that Python needs."""
    own = ("PATH", "HOME", "LANG", "SYSTEMROOT", "TMPDIR")
    return {
        **{name: os.environ[name] for name in own if name in os.environ},
        "TZ": ":UTC",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(ROOT),
        "LAMBDA_TASK_ROOT": str(ROOT),
        "_HANDLER": function.handler,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        **function.environment,
        **extra,
    }
