"""`survives_crashes` finds effects that are made twice when a fault makes a job run again."""

import asyncio
import gc
import threading
import time
import uuid
import warnings
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from email.message import EmailMessage

import pytest
from pydantic import BaseModel

from headrace import Fail, JobContext, JobType, Policy, Retry, SyncJobContext
from headrace.testing import Effect, SubmissionRefused, survives_crashes
from tests.documented.mail import SendMail


class Order(BaseModel):
    amount: int = 700


class Paid(BaseModel):
    receipt: str = ""


class Provider:
    """A payment provider of a test, whose calls take a while."""

    def __init__(self) -> None:
        self.charged: list[int] = []

    async def charge(self, amount: int, idempotency_key: str = "") -> str:
        await asyncio.sleep(0.01)
        self.charged.append(amount)
        return f"receipt {idempotency_key}"

    def charge_plainly(self, amount: int, *, idempotency_key: str = "") -> str:
        self.charged.append(amount)
        return f"receipt {idempotency_key}"


Work = Callable[[Order, JobContext], Awaitable[Paid | Retry | Fail]]
PlainWork = Callable[[Order, SyncJobContext], Paid | Retry | Fail]
ONCE = Policy(max_attempts=1)


class Paying:
    """A job type whose code is a test's."""

    def __init__(self, work: Work, policy: Policy | None = None) -> None:
        self.definition = JobType[Order, Paid](
            name="orders.pay", summary="", payload=Order, result=Paid, policy=policy or Policy()
        )
        self._work = work

    async def run(self, order: Order, context: JobContext) -> Paid | Retry | Fail:
        return await self._work(order, context)


class PayingPlainly:
    definition = JobType[Order, Paid](name="orders.pay", summary="", payload=Order, result=Paid)

    def __init__(self, work: PlainWork) -> None:
        self._work = work

    def run(self, order: Order, context: SyncJobContext) -> Paid | Retry | Fail:
        return self._work(order, context)


def report_of(handler: Paying | PayingPlainly, *effects: Effect[..., object]) -> str:
    with pytest.raises(AssertionError) as told:
        survives_crashes(handler, {}, effects=effects)
    return str(told.value)


def test_a_planted_double_charge_is_found_and_the_mended_handler_passes() -> None:
    charge = Effect(Provider().charge)

    async def planted(order: Order, context: JobContext) -> Paid:
        await context.report_progress(0.1, "charging")
        return Paid(receipt=await charge(order.amount))

    async def mended(order: Order, context: JobContext) -> Paid:
        await context.report_progress(0.1, "charging")
        return Paid(receipt=await charge(order.amount, idempotency_key=context.idempotency_key))

    begun = time.process_time()
    report = report_of(Paying(planted), charge)
    assert survives_crashes(Paying(mended), {}, effects=[charge]) == 10
    assert time.process_time() - begun < 5
    assert "orders.pay does not survive 5 of 9 faults" in report
    assert "without a fault\n    attempt 1  charge(amount=700)  no key\n" in report
    assert (
        "      return Paid(receipt=await charge(order.amount))\n"
        "    attempt 1  charge(amount=700)  no key\n"
        "  + attempt 2  charge(amount=700)  no key\n"
    ) in report
    assert "crash after charge, tests/unit/testing/test_survives_crashes.py:" in report
    assert "-> give charge the same key in every attempt: idempotency_key=context.idempotency_key" in report


def test_a_plain_handler_is_stopped_around_its_effects() -> None:
    charge = Effect(Provider().charge_plainly)

    def planted(order: Order, context: SyncJobContext) -> Paid:
        context.report_progress(0.5)
        return Paid(receipt=charge(order.amount))

    def mended(order: Order, context: SyncJobContext) -> Paid:
        return Paid(receipt=charge(order.amount, idempotency_key=context.idempotency_key))

    report = report_of(PayingPlainly(planted), charge)
    assert "does not survive 4 of 6 faults" in report
    assert "crash when the handler has returned and its outcome is not recorded" in report
    assert survives_crashes(PayingPlainly(mended), {}, effects=[charge]) == 7


def test_a_key_that_differs_between_attempts_is_none() -> None:
    charge = Effect(Provider().charge)

    async def work(order: Order, context: JobContext) -> Paid:
        return Paid(receipt=await charge(order.amount, f"{context.job_id}-{context.attempt}"))

    report = report_of(Paying(work), charge)
    assert "  + attempt 2  charge(amount=700)  key 00000000-0000-4000-8000-" in report


def test_arguments_that_differ_between_attempts_are_compared_by_number() -> None:
    charge = Effect(Provider().charge)

    async def work(order: Order, context: JobContext) -> Paid:
        await charge(uuid.uuid4().int, context.idempotency_key)
        return Paid()

    async def in_every_attempt(order: Order, context: JobContext) -> Paid | Retry:
        await charge(uuid.uuid4().int, context.idempotency_key)
        return Paid() if context.attempt > 1 else Retry(reason="not yet")

    async def planted(order: Order, context: JobContext) -> Paid:
        await charge(uuid.uuid4().int)
        return Paid()

    assert survives_crashes(Paying(work), {}, effects=[charge])
    assert survives_crashes(Paying(in_every_attempt), {}, effects=[charge])
    assert "+ attempt 2" in report_of(Paying(planted), charge)


def test_only_the_effect_that_came_again_is_marked() -> None:
    provider = Provider()
    charge, mail = Effect(provider.charge), Effect(provider.charge, name="mail")

    async def work(order: Order, context: JobContext) -> Paid:
        await charge(1, context.idempotency_key)
        await mail(2)
        await mail(3)
        return Paid()

    report = report_of(Paying(work), charge, mail)
    assert "  + attempt 2  mail(amount=2)  no key\n    attempt 2  mail(amount=3)  no key\n" in report
    assert "charge(amount=1)  key 00000000-0000-4000-8000-" in report
    assert ": counts once" in report
    assert "-> give mail" in report
    assert "-> give charge" not in report


def test_a_look_before_the_effect_is_no_protection_from_a_second_worker() -> None:
    provider = Provider()
    charge = Effect(provider.charge)

    async def work(order: Order, context: JobContext) -> Paid:
        if not provider.charged:
            await charge(order.amount)
        return Paid()

    with pytest.raises(AssertionError, match="a second worker runs the job while the first stands still before charge"):
        survives_crashes(Paying(work), {}, effects=[charge], reset=provider.charged.clear)


def test_a_handler_that_tries_again_itself_meets_a_lost_answer() -> None:
    charge = Effect(Provider().charge, error=ConnectionResetError)

    async def work(order: Order, context: JobContext) -> Paid:
        try:
            await charge(order.amount)
        except ConnectionResetError:
            await charge(order.amount)
        return Paid()

    report = report_of(Paying(work, ONCE), charge)
    assert "orders.pay does not survive 1 of 7 faults" in report
    assert "the answer of charge is lost" in report
    assert "  + attempt 1  charge(amount=700)  no key" in report


def test_tasks_of_a_handler_end_with_their_process() -> None:
    charge = Effect(Provider().charge)

    async def planted(order: Order, context: JobContext) -> Paid:
        await asyncio.gather(charge(1), charge(2, context.idempotency_key))
        return Paid()

    async def mended(order: Order, context: JobContext) -> Paid:
        async with asyncio.TaskGroup() as group:
            group.create_task(charge(1, f"{context.idempotency_key}-1"))
            group.create_task(charge(2, f"{context.idempotency_key}-2"))
        return Paid()

    report = report_of(Paying(planted), charge)
    assert "+ attempt 2  charge(amount=1)  no key" in report
    assert "\n      await asyncio.gather(charge(1), charge(2, context.idempotency_key))\n" in report
    assert survives_crashes(Paying(mended), {}, effects=[charge])


def test_a_task_that_nobody_waits_for_ends_with_its_process(caplog: pytest.LogCaptureFixture) -> None:
    charge = Effect(Provider().charge)

    async def work(order: Order, context: JobContext) -> Paid:
        asyncio.create_task(charge(order.amount, context.idempotency_key))  # noqa: RUF006 - that is what is tested
        await asyncio.sleep(1)
        if context.attempt == 2:
            gc.collect()
        return Paid()

    survives_crashes(Paying(work), {}, effects=[charge])
    gc.collect()
    assert [message for message in caplog.messages if "was destroyed" in message] == []


def test_what_a_dying_process_still_does_does_not_count() -> None:
    charge = Effect(Provider().charge)

    async def work(order: Order, context: JobContext) -> Paid:
        try:
            await charge(order.amount, context.idempotency_key)
        except BaseException:
            await charge(-order.amount)
            raise
        return Paid()

    report = report_of(Paying(work), charge)
    assert "does not survive 1 of 7 faults" in report
    assert "the answer of charge is lost" in report


def test_plain_effects_are_recorded_in_async_handlers_and_in_their_threads() -> None:
    charge = Effect(Provider().charge_plainly)

    async def on_the_loop(order: Order, context: JobContext) -> Paid:
        return Paid(receipt=charge(order.amount))

    async def in_a_thread(order: Order, context: JobContext) -> Paid:
        return Paid(receipt=await asyncio.to_thread(charge, order.amount))

    assert "crash after charge" in report_of(Paying(on_the_loop), charge)
    assert "crash after charge" in report_of(Paying(in_a_thread), charge)


def test_an_effect_that_is_skipped_after_a_crash_is_missing() -> None:
    charge = Effect(Provider().charge)

    async def work(order: Order, context: JobContext) -> Paid:
        if context.attempt == 1:
            await charge(order.amount, context.idempotency_key)
        return Paid()

    assert "crash before charge" in (report := report_of(Paying(work), charge))
    assert "  - never      charge(amount=700)  key " in report


def test_a_job_that_a_crash_makes_fail_is_reported() -> None:
    charge = Effect(Provider().charge)

    async def work(order: Order, context: JobContext) -> Paid | Fail:
        if context.attempt > 1:
            return Fail(reason="was here before", code="again")
        await charge(order.amount, context.idempotency_key)
        return Paid()

    assert "the job has no result: it is failed (again: was here before)" in report_of(Paying(work), charge)
    assert survives_crashes(Paying(work, ONCE), {}, effects=[charge])


def test_later_attempts_have_faults_too() -> None:
    charge = Effect(Provider().charge)

    async def work(order: Order, context: JobContext) -> Paid | Retry:
        if context.attempt == 1:
            return Retry(reason="not yet")
        await charge(order.amount)
        return Paid()

    report = report_of(Paying(work), charge)
    assert "crash after charge of attempt 2, tests" in report
    assert "  + attempt 3  charge(amount=700)  no key" in report


def test_an_effect_that_is_refused_is_not_made() -> None:
    provider = Provider()

    async def insert(amount: int) -> None:
        if amount in provider.charged:
            raise ValueError("unique")
        provider.charged.append(amount)

    row = Effect(insert)

    async def work(order: Order, context: JobContext) -> Paid:
        with suppress(ValueError):
            await row(order.amount)
        return Paid()

    assert survives_crashes(Paying(work), {}, effects=[row], reset=provider.charged.clear)


class Outbox:
    """A mail server, whose every message is an effect."""

    def __init__(self) -> None:
        self.send_message = Effect(self._accept, key=lambda msg: msg["Message-ID"], name="mail")

    def _accept(self, msg: EmailMessage) -> None:
        pass


def test_the_key_may_be_a_part_of_an_argument() -> None:
    outbox = Outbox()
    handler = SendMail(lambda _host: nullcontext(outbox))
    mail = {"to": "ada@example.com", "subject": "Paid", "text": ""}
    settings = {"SMTP_HOST": "mail.internal"}
    assert survives_crashes(handler, mail, effects=[outbox.send_message], settings=settings) == 7


def test_an_effect_that_cannot_carry_a_key_is_told_so() -> None:
    async def ping(url: str) -> None:
        assert url

    pinged = Effect(ping)

    async def work(order: Order, context: JobContext) -> Paid:
        await pinged("https://example.com")
        return Paid()

    assert "-> ping has no parameter `idempotency_key` to carry an idempotency key" in report_of(Paying(work), pinged)


async def fails(order: Order, context: JobContext) -> Paid | Retry | Fail:
    return Fail(reason="no such order", code="unknown_order")


async def idle(order: Order, context: JobContext) -> Paid:
    return Paid()


def test_what_has_nothing_to_compare_is_refused() -> None:
    charge = Effect(Provider().charge)

    async def one_key(order: Order, context: JobContext) -> Paid:
        await charge(1, context.idempotency_key)
        await charge(2, context.idempotency_key)
        return Paid()

    assert "without a fault, the job has no result: it is failed (unknown_order" in report_of(Paying(fails), charge)
    assert "charge was not called: give the handler the Effect" in report_of(Paying(idle), charge)
    assert "charge(amount=2) has the key of charge(amount=1)" in report_of(Paying(one_key), charge)
    with pytest.raises(SubmissionRefused, match="payload/amount"):
        survives_crashes(Paying(idle), {"amount": "x"}, effects=[charge])
    with pytest.raises(ValueError, match="does not declare TOKEN"):
        survives_crashes(Paying(idle), {}, effects=[charge], settings={"TOKEN": ""})


async def test_it_is_called_the_same_way_in_an_async_test_and_leaves_nothing_behind() -> None:
    provider = Provider()
    charge, plain = Effect(provider.charge), Effect(provider.charge_plainly)

    async def work(order: Order, context: JobContext) -> Paid:
        try:
            await charge(order.amount, context.idempotency_key)
        finally:
            await asyncio.sleep(1)
        return Paid()

    def plain_work(order: Order, context: SyncJobContext) -> Paid:
        try:
            plain(order.amount, idempotency_key=context.idempotency_key)
        finally:
            context.report_progress(1.0)
        return Paid()

    before = threading.active_count()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert survives_crashes(Paying(work), {}, effects=[charge])
        assert survives_crashes(PayingPlainly(plain_work), {}, effects=[plain])
        gc.collect()
    assert threading.active_count() == before
    assert len(asyncio.all_tasks()) == 1


def test_waiting_takes_no_time() -> None:
    charge = Effect(Provider().charge)

    async def work(order: Order, context: JobContext) -> Paid:
        await asyncio.sleep(20)
        await charge(order.amount, context.idempotency_key)
        await asyncio.to_thread(time.sleep, 0.001)
        await asyncio.sleep(5)
        return Paid()

    begun = time.monotonic()
    assert survives_crashes(Paying(work), {}, effects=[charge]) == 11
    assert time.monotonic() - begun < 20


def test_the_number_of_runs_is_bounded_and_every_effect_is_tried() -> None:
    charge = Effect(Provider().charge)

    async def work(order: Order, context: JobContext) -> Paid:
        for _ in range(200):
            await asyncio.sleep(0)
        await charge(order.amount)
        return Paid()

    report = report_of(Paying(work), charge)
    assert "of 200 faults" in report
    assert "crash after charge" in report


async def test_outside_of_it_an_effect_is_the_function() -> None:
    assert await Effect(Provider().charge)(7, "k") == "receipt k"
