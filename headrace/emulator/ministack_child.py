"""Runs MiniStack until it receives SIGTERM or its parent process ends.

Executed by the Python of MiniStack's own environment, so it imports nothing from this project. Its standard
input is a pipe from the parent, which closes however the parent ends.
"""

import operator
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Mapping

Item = Mapping[str, Mapping[str, object]]
"""Attributes in DynamoDB's JSON; so are the values of an expression."""

MAX_CONDITIONS = 1000
"""Texts of key conditions that are remembered."""
_KEY_CONDITION = re.compile(
    r"(?P<partition>#?\w+) = (?P<equals>:\w+)"
    r"(?: AND (?:(?P<sort>#?\w+) (?P<how><=|>=|<|>|=) (?P<than>:\w+)"
    r"|(?P<ranged>#?\w+) BETWEEN (?P<low>:\w+) AND (?P<high>:\w+)"
    r"|begins_with\((?P<begun>#?\w+), (?P<prefix>:\w+)\)))?"
)
_COMPARISONS = {"<": operator.lt, "<=": operator.le, "=": operator.eq, ">=": operator.ge, ">": operator.gt}


def _end_with_parent() -> None:
    # Not sys.stdin: a thread blocked in a buffered read breaks the interpreter's shutdown.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _read_key_conditions_once() -> None:
    """Have MiniStack 1.5 parse the key condition of a query once, and not for each item of the partition.

    That takes it 0.1 ms an item, so that each query of a partition with 2,000 jobs held everything up for 0.2 s; in
    DynamoDB such a query costs as much as its answer. Conditions of other forms, or on other types, go its own way.
    """
    from ministack.services import dynamodb

    original: Callable[..., object] | None = getattr(dynamodb, "_evaluate_condition", None)
    if original is None:
        return
    valid: dict[str, dict[str, str | None]] = {}

    def evaluate(
        expression: str, item: Item, values: Item, names: Mapping[str, str], slot: str = "ConditionExpression"
    ) -> object:
        if slot != "KeyConditionExpression":
            return original(expression, item, values, names, slot=slot)
        form = valid.get(expression)
        holds = None if form is None else _holds(form, item, values, names)
        if holds is not None:
            return holds
        found = original(expression, item, values, names, slot=slot)  # raises for what is not valid
        if (
            form is None
            and len(valid) < MAX_CONDITIONS
            and (parsed := _KEY_CONDITION.fullmatch(expression)) is not None
        ):
            valid[expression] = parsed.groupdict()
        return found

    dynamodb._evaluate_condition = evaluate  # noqa: SLF001 - it has no public way


def _holds(form: Mapping[str, str | None], item: Item, values: Item, names: Mapping[str, str]) -> bool | None:
    """Whether an item meets a key condition of this form; None if that is not a comparison of strings."""
    partition = form["partition"] or ""
    if item.get(names.get(partition, partition)) != values.get(form["equals"] or ""):
        return False
    name = form["sort"] or form["ranged"] or form["begun"]
    if name is None:
        return True
    given = [_string(values.get(text)) for text in map(form.get, ("than", "low", "high", "prefix")) if text]
    match _string(item.get(names.get(name, name))), given:
        case str(text), [str(other)] if form["sort"]:
            return bool(_COMPARISONS[form["how"] or "="](text, other))
        case str(text), [str(low), str(high)]:
            return low <= text <= high
        case str(text), [str(prefix)]:
            return text.startswith(prefix)
        case _:
            return None


def _string(attribute: Mapping[str, object] | None) -> object:
    return None if attribute is None else attribute.get("S")


if __name__ == "__main__":
    from ministack.app import main

    _read_key_conditions_once()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.argv = ["ministack"]
    main()
