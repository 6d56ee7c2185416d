"""The context of an invocation."""


class FakeLambdaContext:
    """An invocation with the given number of seconds left."""

    def __init__(self, seconds: float = 60) -> None:
        self.aws_request_id = "invocation-1"
        self.function_name = "test"
        self.function_version = "7"
        self.memory_limit_in_mb = 512
        self.invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:test"
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self._seconds * 1000)
