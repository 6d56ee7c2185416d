"""What a handler is told of a child job that has not succeeded."""


class ChildFailed(Exception):
    """A child job failed or was cancelled. Uncaught, it fails the parent at once, with the code `child_failed`."""

    def __init__(self, name: str, place: int, job_id: str, code: str, message: str) -> None:
        self.name = name
        """Of the `call` or `map`."""
        self.place = place
        """Of its payload, from 0."""
        self.job_id = job_id
        self.code = code
        """Of the child's error; `cancelled`, or `child_missing` for one that is not there any more."""
        self.message = message
        super().__init__(name, place, job_id, code, message)

    def __str__(self) -> str:
        return f"child {self.place} of {self.name} ({self.job_id}): {self.code}: {self.message}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ChildFailed) and self.args == other.args

    def __hash__(self) -> int:
        return hash(self.args)
