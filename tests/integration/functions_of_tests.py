"""Handlers that behave as an event of a test tells them to."""

import os
import sys
import time

WARM = {"invocations": 0}


def handler(event: dict[str, str], context: "Context") -> dict[str, object]:
    WARM["invocations"] += 1
    match event.get("do", ""):
        case "raise":
            raise ValueError("as asked")
        case "exit":
            os._exit(3)
        case "kill":
            os.kill(os.getpid(), 9)
        case "sleep":
            time.sleep(60)
        case "devour":
            taken = b"x" * 2**28
            time.sleep(60)
            del taken
        case "answer":
            return {"text": event["sign"] * int(event["times"])}
        case "set":
            return {1, 2}  # type: ignore[return-value]  # JSON has no sets
        case "unspeakable":
            raise UnspeakableError
        case "print":
            sys.stdout.write("hello from the function\n")
        case _:
            pass
    return {
        "event": event,
        "invocations": WARM["invocations"],
        "pid": os.getpid(),
        "request_id": context.aws_request_id,
        "remaining": context.get_remaining_time_in_millis(),
        "environment": {name: os.environ.get(name) for name in ("AWS_LAMBDA_FUNCTION_NAME", "COLOUR", "TZ")},
        "secret": os.environ.get("HEADRACE_TEST_SECRET"),
    }


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise ValueError


class Context:
    """The part of Lambda's context that this module uses."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        raise LookupError
