"""Reads the queues that the template declares, and the event source mappings that read from them."""

import json
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, JsonValue

from headrace.emulator.cloudformation import ACCOUNT, REGION, UnsupportedTemplate, mapping

_ATTRIBUTES = ("DelaySeconds", "MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds", "VisibilityTimeout")
_DEFAULT_VISIBILITY = 30
MOST_MESSAGES = 10
"""The most that one `ReceiveMessage` returns, and that a batch has without a batching window."""


class Queue(BaseModel):
    """A standard queue: the attributes of `CreateQueue`."""

    model_config = ConfigDict(frozen=True)

    name: str
    attributes: dict[str, str]

    @property
    def visibility_timeout(self) -> int:
        """Seconds that a message is hidden after it was received."""
        return int(self.attributes.get("VisibilityTimeout", _DEFAULT_VISIBILITY))


class QueueMapping(BaseModel):
    """The delivery of a queue's messages to a function; the defaults are those of AWS Lambda."""

    model_config = ConfigDict(frozen=True)

    queue: str
    function: str
    batch_size: int = MOST_MESSAGES
    maximum_batching_window_in_seconds: float = 0
    maximum_concurrency: int | None = None
    """Of invocations by this mapping; None for as many as the function may have."""
    report_batch_item_failures: bool = False


def queue_arn(name: str) -> str:
    """The local ARN of a queue."""
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def queue_of(name: str, spec: Mapping[str, JsonValue]) -> Queue:
    """The queue that a resource declares."""
    attributes = {key: str(spec[key]) for key in _ATTRIBUTES if key in spec}
    if "RedrivePolicy" in spec:
        policy = mapping(spec["RedrivePolicy"])
        target = queue_arn(str(policy["deadLetterTargetArn"]).removesuffix(".Arn"))
        limit = int(str(policy["maxReceiveCount"]))
        attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": limit})
    return Queue(name=name, attributes=attributes)


def queue_mapping_of(
    spec: Mapping[str, JsonValue], queues: Mapping[str, Queue], timeouts: Mapping[str, int]
) -> QueueMapping:
    """The mapping that a resource declares; `timeouts` are the functions' time limits in seconds.

    Raises `UnsupportedTemplate` for what Lambda refuses: a visibility timeout below the function's time limit, a batch
    of more than ten messages without a window of a second, a maximum concurrency below two.
    """
    types = spec.get("FunctionResponseTypes") or []
    scaling = mapping(spec.get("ScalingConfig", {}))
    found = QueueMapping.model_validate({
        "queue": str(spec["EventSourceArn"]).removesuffix(".Arn"),
        "function": spec["FunctionName"],
        "batch_size": spec.get("BatchSize", MOST_MESSAGES),
        "maximum_batching_window_in_seconds": spec.get("MaximumBatchingWindowInSeconds", 0),
        "maximum_concurrency": scaling.get("MaximumConcurrency"),
        "report_batch_item_failures": isinstance(types, list) and "ReportBatchItemFailures" in types,
    })  # fmt: skip
    if "FilterCriteria" in spec:
        raise UnsupportedTemplate("the local stack does not support filters on a queue's mapping")
    if queues[found.queue].visibility_timeout < timeouts[found.function]:
        raise UnsupportedTemplate(f"{found.queue} has a visibility timeout below the time limit of {found.function}")
    if found.batch_size > MOST_MESSAGES and found.maximum_batching_window_in_seconds < 1:
        raise UnsupportedTemplate(f"a batch of {found.batch_size} messages needs a batching window of a second or more")
    if found.maximum_concurrency is not None and found.maximum_concurrency < 2:  # noqa: PLR2004 - Lambda's limit
        raise UnsupportedTemplate("a mapping's maximum concurrency must be 2 or more")
    return found
