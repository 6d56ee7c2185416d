"""Waits."""

from aws_durable_execution_sdk_python import DurableContext
from aws_durable_execution_sdk_python.config import Duration, JitterStrategy
from aws_durable_execution_sdk_python.waits import WaitForConditionConfig, WaitStrategyConfig, create_wait_strategy

from tests.acceptance.durable.effects import note
from tests.acceptance.durable.sdk.example import Event, Handler, Json


def wait(_event: Event, context: DurableContext) -> Json:
    context.wait(Duration.from_days(10), name="ten-days")
    return {"text": "awake"}


def waits(_event: Event, context: DurableContext) -> Json:
    last = 0
    for number in range(3):
        context.wait(Duration.from_minutes(5), name=f"pause-{number}")
        last = context.step(lambda _: note("look"), name=f"look-{number}")
    return {"value": last}


def condition(event: Event, context: DurableContext) -> Json:
    strategy = create_wait_strategy(
        WaitStrategyConfig(
            should_continue_polling=lambda state: state < 4,
            max_attempts=int(event["most"]),
            initial_delay=Duration.from_seconds(1),
            backoff_rate=2,
            jitter_strategy=JitterStrategy.NONE,
        )
    )
    config = WaitForConditionConfig(wait_strategy=strategy, initial_state=0)
    return {"value": context.wait_for_condition(lambda _state, _context: note("look"), config, name="look")}


HANDLERS: dict[str, Handler] = {"wait": wait, "waits": waits, "condition": condition, "condition_never": condition}
