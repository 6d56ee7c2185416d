"""Submits many jobs, batch after batch."""

from collections.abc import Iterable, Mapping

from headrace_client._async.sending import AsyncSender
from headrace_client.errors import HeadraceError, InvalidRequest
from headrace_client.messages import Request
from headrace_client.submissions import Outcome, Submission, batches, is_batch_unsettled, outcomes_of

MAX_KEY = 240
"""Characters: less than the API's 255, because each batch adds its number."""


async def async_submit_batches(
    sender: AsyncSender, submissions: Iterable[Submission], key: str, headers: Mapping[str, str]
) -> list[Outcome]:
    """Submit all, with these headers, and return an outcome for each, in their order.

    A batch that is refused for what it holds stops no other; whatever else fails would fail the next ones too, and is
    the outcome of all that are left.
    """
    if len(key) > MAX_KEY:
        raise ValueError(f"a key of a batch has at most {MAX_KEY} characters")
    outcomes: list[Outcome] = []
    stopped: HeadraceError | None = None
    for number, (group, body) in enumerate(list(batches(submissions))):
        error = stopped
        if error is None:
            request = Request("POST", "/jobs/batch", body=body, key=f"{key}/{number}", headers=headers)
            try:
                outcomes.extend(outcomes_of(group, await sender.send(request, is_batch_unsettled)))
                continue
            except InvalidRequest as refused:
                error = refused
            except HeadraceError as failed:
                error = stopped = failed
        outcomes.extend(Outcome(submission, error=error) for submission in group)
    return outcomes
