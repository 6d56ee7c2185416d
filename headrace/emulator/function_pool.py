"""The pool of a function's execution environments, as Lambda manages them."""

import asyncio
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from pydantic import JsonValue

from headrace.emulator.cloudformation import ROOT
from headrace.emulator.database import StackError
from headrace.emulator.execution_environment import CANNOT_START, Environment, FunctionFailed, Result
from headrace.emulator.log_file import LogFile
from headrace.emulator.observer import Crash, Observer, OnStderr, reason_of
from headrace.emulator.template import LambdaFunction


class FunctionPool:
    """A function's environments: warm ones are reused, and another starts when none is free, up to a limit.

    With `waits`, a function that cannot start holds invocations back until `reload` finds it mended.
    `variables` are asked for whenever an environment starts; they are the handlers' own, and replace no others.
    """

    def __init__(
        self,
        function: LambdaFunction,
        extra: Mapping[str, str],
        log: Path,
        max_concurrency: int,
        observer: Observer | None = None,
        *,
        waits: bool = False,
        variables: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._function = function
        self._environment = environment_of(function, extra)
        self._variables = variables
        self._log = LogFile(log)
        self._max = max_concurrency
        self._observer = observer or OnStderr()
        self._waits = waits
        self._broken: StackError | None = None
        self._open = asyncio.Event()
        self._settled = asyncio.Event()
        """Whether it is known if the function can start: it is not being reloaded."""
        self._settle(None)
        self._free: asyncio.LifoQueue[Environment] = asyncio.LifoQueue()
        self._all: set[Environment] = set()
        self._outdated: set[Environment] = set()
        self._starting: asyncio.Task[None] | None = None
        self._listeners: list[Callable[[], None]] = []

    def after_each(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever an invocation has ended."""
        self._listeners.append(listener)

    @property
    def max_concurrency(self) -> int:
        """How many invocations can run at once."""
        return self._max

    @property
    def is_held(self) -> bool:
        """Whether invocations wait, because the function is being reloaded or cannot start."""
        return not self._open.is_set()

    async def warm_up(self) -> StackError | None:
        """Start one environment. Why it cannot start is raised, or with `waits` returned: then invocations wait."""
        try:
            await self._add()
        except StackError as error:
            if not self._waits:
                raise
            self._settle(error)
            return error
        return None

    async def reload(self, *, keep_old: bool = False) -> StackError | None:
        """Let every invocation from now on run the code as it is now, and return why it cannot start.

        Invocations under way finish with the code that they began with. When the new code cannot start, further ones
        wait until the next reload; with `keep_old`, they run the old code.
        """
        self._open.clear()
        self._settled.clear()
        await self._stop_starting()
        old = set(self._all)
        try:
            new = await self._start()
        except StackError as error:
            self._settle(None if keep_old and any(each.alive for each in old) else error)
            return error
        self._outdated |= old & self._all
        self._free.put_nowait(new)
        self._settle(None)
        await self._discard_free_outdated()
        return None

    async def invoke(self, event: JsonValue, *, for_mending: bool = True) -> Result:
        """Run `event` in a free environment; when the limit is reached and all are busy, wait for one.

        Without `for_mending` it does not wait for a function that cannot start to be mended: the result says why.
        """
        while True:
            try:
                return await self._run(event, for_mending)
            except StackError as error:
                failure = FunctionFailed(error_type=CANNOT_START, message=reason_of(error))
                if not self._waits:
                    return self._failed(failure, 0)
                self._hold(error)
                if not for_mending:
                    return failure

    async def stop(self) -> None:
        """End every environment."""
        await self._stop_starting()
        await asyncio.gather(*(environment.stop() for environment in self._all))
        self._all.clear()

    def _hold(self, error: StackError) -> None:
        if self._open.is_set():
            self._settle(error)
            self._observer.cannot_start(error)

    def _settle(self, broken: StackError | None) -> None:
        self._broken = broken
        self._settled.set()
        if broken is None:
            self._open.set()
        else:
            self._open.clear()

    def _raise_if_broken(self) -> None:
        if self._broken is not None:
            raise self._broken

    def _failed(self, failure: FunctionFailed, environment: int) -> FunctionFailed:
        crash = Crash(
            function=self._function.name,
            environment=environment,
            error_type=failure.error_type,
            message=failure.message,
            log=str(self._log.path),
        )
        self._observer.crashed(crash)
        return failure

    async def _run(self, event: JsonValue, for_mending: bool) -> Result:
        environment = await self._acquire(for_mending)
        try:
            result = await environment.invoke(event)
        except BaseException:
            # Its state is unknown, so it must not get another event; discarding it frees its place in the pool.
            await self._discard(environment)
            raise
        for listener in self._listeners:
            listener()
        if self._is_usable(environment):
            self._free.put_nowait(environment)
        else:
            await self._discard(environment)
        return self._failed(result, environment.number) if isinstance(result, FunctionFailed) else result

    def _is_usable(self, environment: Environment) -> bool:
        return environment.alive and environment not in self._outdated

    async def _acquire(self, for_mending: bool) -> Environment:
        while True:
            await (self._open if for_mending else self._settled).wait()
            environment = await self._next_free(for_mending)
            if self.is_held:
                self._free.put_nowait(environment)
            elif self._is_usable(environment):
                return environment
            else:
                await self._discard(environment)

    async def _next_free(self, for_mending: bool) -> Environment:
        """Return a warm environment; while none is free, start more, one at a time, up to the limit."""
        getting = asyncio.ensure_future(self._free.get())
        try:
            while not getting.done():
                if not for_mending:
                    self._raise_if_broken()
                if self._starting is None and self._may_start():
                    self._starting = asyncio.create_task(self._add())
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

    def _may_start(self) -> bool:
        return self._free.empty() and len(self._all) < self._max and not self.is_held

    async def _add(self) -> None:
        self._free.put_nowait(await self._start())

    async def _start(self) -> Environment:
        began = asyncio.get_running_loop().time()
        name = self._function.name
        variables = {**self._variables(), **self._environment}
        environment = Environment(self._function, variables, self._log, partial(self._observer.wrote, name))
        self._all.add(environment)
        try:
            await environment.start()
        except BaseException:
            await self._discard(environment)
            raise
        took = asyncio.get_running_loop().time() - began
        self._observer.report(f"{name} started environment {environment.number} ({took:.1f} s)", "detail")
        return environment

    async def _stop_starting(self) -> None:
        starting, self._starting = self._starting, None
        if starting is not None:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)

    async def _discard_free_outdated(self) -> None:
        """End the free environments that have old code; those at work are ended when they have finished."""
        free = [self._free.get_nowait() for _ in range(self._free.qsize())]
        for environment in reversed(free):
            if self._is_usable(environment):
                self._free.put_nowait(environment)
        await asyncio.gather(*(self._discard(each) for each in free if not self._is_usable(each)))

    async def _discard(self, environment: Environment) -> None:
        self._all.discard(environment)
        self._outdated.discard(environment)
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
