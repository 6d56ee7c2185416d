"""Runs every example by the SDK's own local runner, and prints their outcomes as one JSON object."""

import json
import logging
import sys
import time
from collections import Counter

from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.lambda_service import ErrorObject
from aws_durable_execution_sdk_python_testing.runner import DurableFunctionTestRunner

from tests.acceptance.durable.effects import MADE
from tests.acceptance.durable.examples import EXAMPLES
from tests.acceptance.durable.sdk import branches, callbacks, children, steps, waits
from tests.acceptance.durable.sdk.example import Answer, Json

HANDLERS = steps.HANDLERS | waits.HANDLERS | callbacks.HANDLERS | branches.HANDLERS | children.HANDLERS
SECONDS = 20
LOOKS_EVERY = 0.02


def outcome(name: str) -> Json:
    """Run one example to its end."""
    MADE.clear()
    runner = DurableFunctionTestRunner(durable_execution(HANDLERS[name]), poll_interval=LOOKS_EVERY)
    for other, handler in children.INVOKED.items():
        runner.register_durable_function(other, durable_execution(handler))
    with runner:
        execution = runner.run_async(input=json.dumps(EXAMPLES[name].event), execution_timeout=SECONDS)
        for answer in callbacks.SENT.get(name, ()):
            _send(runner, runner.wait_for_callback(execution, answer.name, timeout=SECONDS), answer)
        ended = runner.wait_for_result(execution, timeout=SECONDS)
    succeeded = ended.status.value == "SUCCEEDED"
    return {
        "result": json.loads(ended.result) if succeeded and ended.result else None,
        "failed": not succeeded,
        "error": str(ended.error and ended.error.message),
        "effects": dict(Counter(MADE)),
    }


def _send(runner: DurableFunctionTestRunner, callback: str, answer: Answer) -> None:
    for _ in range(answer.heartbeats):
        runner.send_callback_heartbeat(callback)
    if answer.failure is not None:
        runner.send_callback_failure(callback, ErrorObject.from_message(answer.failure))
        return
    runner.send_callback_success(callback, None if answer.value is None else json.dumps(answer.value).encode())


def main() -> int:
    """Run the examples that are named, or all."""
    logging.disable(logging.CRITICAL)
    outcomes: dict[str, Json] = {}
    for name in sys.argv[1:] or EXAMPLES:
        began = time.monotonic()
        outcomes[name] = outcome(name) | {"seconds": round(time.monotonic() - began, 2)}
    print(json.dumps(outcomes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
