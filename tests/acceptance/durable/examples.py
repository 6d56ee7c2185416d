"""What both sides are given, and what has to come of it. The SDK's side imports it too: it needs nothing but Python."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Example:
    """One example."""

    result: Mapping[str, object] | None
    """None where the job fails."""
    effects: Mapping[str, int] | None = field(default_factory=dict)
    """How often each effect is made; None where that is another number on each side."""
    event: Mapping[str, str | int] = field(default_factory=dict)
    of: str = ""
    """Whose handler it is, where another example has it too."""


STEPS: Final = {
    "hello": Example({"text": "Hello, Ada!"}, event={"name": "Ada"}),
    "two_steps": Example({"value": 10}, {"add": 1, "double": 1}, {"one": 2, "other": 3}),
    "retried": Example({"text": "the third time"}, {"before": 1, "flaky": 3}),
    "exhausted": Example(None, {"broken": 3}),
    "none": Example({"value": None}, {"find": 1}),
    "caught": Example({"text": "refused: no chairs are left"}, {"reserve": 1}),
    "failure_remembered": Example({"text": "refused: no chairs are left"}, {"reserve": 1}),
    "handler_error": Example(None),
    "at_most_once": Example({"text": "charged"}, {"charge": 1}),
    "date": Example({"day": "2026-12-25"}, {"due": 1}),
    "large": Example({"value": 300_000}, {"read": 1}),
    "many": Example({"steps": 200, "total": 19_900}),
}
WAITS: Final = {
    "wait": Example({"text": "awake"}),
    "waits": Example({"value": 3}, {"look": 3}),
    "condition": Example({"value": 4}, {"look": 4}, {"most": 10}),
    "condition_never": Example(None, {"look": 3}, {"most": 3}, of="condition"),
}
CALLBACKS: Final = {
    "callback": Example({"text": "done"}, {"ask": 1}),
    "callback_none": Example({"text": "told"}),
    "callback_failure": Example(None),
    "callback_timeout": Example({"text": "nobody answered"}),
    "heartbeat": Example({"text": "done"}),
    "callbacks_at_once": Example({"texts": ["1", "2", "3"]}),
    "callback_mixed": Example({"texts": ["fetched", "answered", "stored"]}, {"fetch": 1, "store": 1}),
    "callback_date": Example({"day": "2026-12-25"}),
    "submitter_fails": Example({"text": "not asked: nobody is there"}, {"ask": 1}),
    "callbacks_nested": Example({"texts": ["outer", "inner"]}),
    "callbacks_one_by_one": Example({"value": 2}, {"ask": 2}),
    "callback_retried": Example({"text": "done at attempt 2"}, {"ask": 2}),
}
BRANCHES: Final = {
    "parallel": Example({"values": [0, 1, 4]}, {"square": 3}),
    "parallel_waits": Example({"texts": ["slow", "quick", "usual"]}, {"end": 3}),
    "parallel_limited": Example({"values": [0, 1, 4, 9, 16]}, {"square": 5}),
    "first_successful": Example({"text": "quick"}),
    "failures_tolerated": Example({"succeeded": 3, "failed": 2}, {"halve": 5}),
    "child_context": Example({"values": [16, 81]}, {"square": 4}),
    "diamond": Example({"value": 10}, {"source": 1, "left": 1, "right": 1, "joined": 1}),
    "run_if": Example(
        {"texts": ["checked", "approved", "shipped"]}, {"checked": 1, "approved": 1, "shipped": 1}, {"large": 1}
    ),
    "run_if_not": Example({"texts": ["checked", "shipped"]}, {"checked": 1, "shipped": 1}, {"large": 0}, of="run_if"),
    "compensation": Example(
        None, {"book flight": 1, "book hotel": 1, "book car": 1, "cancel hotel": 1, "cancel flight": 1}
    ),
}
CHILDREN: Final = {
    "invoke": Example({"value": 50}, {"square": 1}),
    "invoke_fails": Example({"text": "refused: odd"}, {"halve": 1}),
    "map": Example({"values": [0, 1, 4, 9, 16]}, {"square": 5}),
    "map_limited": Example({"value": 328_350}, {"square": 100}),
    "map_tolerates": Example({"succeeded": 3, "failed": 2}, {"halve": 5}),
    "map_fails": Example(None, None),
    "map_nested": Example({"values": [5, 14]}, {"square": 7}),
    "map_enough": Example({"value": 3}, None),
}
EXAMPLES: Final[Mapping[str, Example]] = {**STEPS, **WAITS, **CALLBACKS, **BRANCHES, **CHILDREN}
