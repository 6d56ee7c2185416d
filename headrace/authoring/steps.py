"""What the durable calls of a context raise."""


class StepError(Exception):
    """What `step`, `sleep` and `signal` raise for reasons of their own."""


class StepMisused(StepError):
    """The handler uses its steps in a way that cannot work, as the message says. The job fails at once."""


class StepUnavailable(StepError):
    """What the job remembers could not be read or written; another attempt may succeed."""
