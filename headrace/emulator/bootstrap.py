"""A Lambda runtime: in a loop, fetch an event, call the handler and post its response.

Speaks the documented Runtime API (`/2018-06-01/runtime/…`), as AWS's own Linux-only `awslambdaric` does. Each
process that runs this module is one execution environment.
"""

import importlib
import json
import os
import sys
import sysconfig
import time
import traceback
from email.message import Message
from http.client import HTTPConnection, HTTPException, HTTPResponse

API = "/2018-06-01/runtime"
_INSTALLED = tuple({f"{sysconfig.get_path(name)}/" for name in ("stdlib", "platstdlib", "purelib", "platlib")})


class Context:
    """The context object passed to a handler; the names are AWS Lambda's."""

    def __init__(self, headers: Message) -> None:
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = f"/aws/lambda/{self.function_name}"
        self.log_stream_name = "local"
        self._deadline = int(headers["Lambda-Runtime-Deadline-Ms"]) / 1000

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation times out; never below 0."""
        return max(0, int((self._deadline - time.time()) * 1000))


def main() -> None:
    """Serve invocations until the stack ends."""
    connection = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        module, name = os.environ["_HANDLER"].rsplit(".", 1)
        handler = getattr(importlib.import_module(module), name)
    except Exception as error:  # noqa: BLE001 - any failure to import must be reported
        # One line, so that the stack's console, which shows the reason, can leave it to the log.
        told = {"level": "ERROR", "message": "function_cannot_start", "exception": traceback.format_exc()}
        sys.stderr.write(f"{json.dumps(told)}\n")
        _post(connection, f"{API}/init/error", _described(error))
        sys.exit(1)
    while True:
        connection.request("GET", f"{API}/invocation/next")
        response = connection.getresponse()
        context = Context(response.headers)
        url = f"{API}/invocation/{context.aws_request_id}"
        try:
            response_body = json.dumps(handler(json.loads(response.read()), context), ensure_ascii=False).encode()
        except Exception as error:  # noqa: BLE001 - a failed invocation is reported, and the loop goes on
            sys.stderr.write(traceback.format_exc())
            _post(connection, f"{url}/error", _described(error))
        else:
            _post(connection, f"{url}/response", response_body)


def _post(connection: HTTPConnection, url: str, body: bytes) -> None:
    connection.request("POST", url, body, {"Content-Type": "application/json"})
    response: HTTPResponse = connection.getresponse()
    response.read()


def _described(error: BaseException) -> bytes:
    sys.stderr.flush()
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - an exception whose `__str__` fails must still be reported
        message = ""
    described = {"errorType": type(error).__name__, "errorMessage": message, "place": _place(error)}
    return json.dumps(described).encode()


def _place(error: BaseException) -> str | None:
    """The file and line where an import failed, `/folder/orders.py:7`; None for an error that names it in words."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    if type(error).__module__ != "builtins":
        return None
    files = (f"{frame.filename}:{frame.lineno}" for frame in reversed(traceback.extract_tb(error.__traceback__)))
    return next((file for file in files if not file.startswith(("<", *_INSTALLED))), None)


if __name__ == "__main__":
    try:
        main()
    except (OSError, HTTPException, KeyboardInterrupt):
        sys.exit(0)  # The stack has ended.
