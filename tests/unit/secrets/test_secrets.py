"""Secrets of payloads: only the owner's own and shared ones, given to the handler, and written nowhere."""

import json
from datetime import timedelta

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from domain.jobs.attempt import Attempt
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.checking import InvalidPayload
from domain.jobs.guard import outcome_of
from domain.jobs.job import BlobRef, Job, Running, loaded
from domain.jobs.outcomes import Done, Outcome, Raised, TimedOut
from domain.jobs.submission import Submission
from domain.jobs.submitting import SubmissionService, Submitted
from domain.results import StorageUnavailable
from domain.secrets.hidden import Hidden
from domain.secrets.store import SecretForbidden, SecretFound, SecretMissing, SecretsOff, place_of
from headrace import Fail, JobContext, Retry, Secret, SecretUnavailable, Stopped, job_type
from headrace.authoring.job_type import Handler
from headrace.authoring.json_text import JsonText
from headrace.authoring.secrets import give_value
from headrace.testing.clock import numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.secret_store import FakeSecrets
from tests.factories import NOW, UserFactory, claimed, queued

VALUE = 'sk_live_4f"ø\n2'
OUTAGE = StorageUnavailable(reason="throttled", detail="ThrottlingException")
MINE, THEIRS = "owner-1", "owner-2"


class Payment(BaseModel):
    token: Secret
    others: list[Secret] = []


class Paid(BaseModel):
    by: str


@job_type("payments.charge")
async def charge(payment: Payment, context: JobContext) -> Paid:
    """Charge a card."""
    await context.report_progress(0.5, f"with {payment.token.value}")
    return Paid(by=payment.token.value)


@job_type("payments.fail")
async def fails(payment: Payment) -> Paid:
    """Fail to charge."""
    raise ValueError(f"401 for {payment.token.value}")


@job_type("payments.plain")
def plain(payment: Payment) -> Paid:
    """Charge in a thread."""
    return Paid(by=str(len(payment.token.value)))


def running(name: str, document: object, owner: str = MINE) -> Job:
    return claimed(queued(type=name, owner_id=owner, payload=JsonText(json.dumps(document))))


async def attempted(
    handler: Handler, document: object, secrets: FakeSecrets | None, owner: str = MINE
) -> tuple[Outcome, FakeJobRepository]:
    job = running(handler.definition.name, document, owner)
    jobs = FakeJobRepository()
    await jobs.add(Change(job), NOW)
    context = Attempt(jobs, lambda: NOW, job, NOW, {}, secrets=(lambda: secrets) if secrets else None)
    return await outcome_of(handler, job, context, timedelta(seconds=5)), jobs


def owned(**values: SecretFound) -> FakeSecrets:
    return FakeSecrets({f"{MINE}/{name}": value for name, value in values.items()})


async def test_the_handler_gets_the_value_and_nothing_that_is_stored_has_it() -> None:
    secrets = owned(stripe=VALUE)
    outcome, jobs = await attempted(charge, {"token": {"secret": "stripe"}}, secrets)
    assert outcome == Done(result=JsonText('{"by":"[secret stripe]"}'))
    (job,) = jobs.stored
    assert isinstance(job.state, Running)
    assert job.state.progress is not None
    assert job.state.progress.message == "with [secret stripe]"
    assert loaded(job.payload) == '{"token": {"secret": "stripe"}}'
    assert secrets.asked == [f"{MINE}/stripe"]


async def test_an_error_does_not_quote_it() -> None:
    outcome, _ = await attempted(fails, {"token": {"secret": "stripe"}}, owned(stripe=VALUE))
    assert isinstance(outcome, Raised)
    assert outcome.message == "401 for [secret stripe]"


async def test_a_plain_handler_gets_it_too() -> None:
    outcome, _ = await attempted(plain, {"token": {"secret": "stripe"}}, owned(stripe="x" * 11))
    assert outcome == Done(result=JsonText('{"by":"11"}'))


async def test_no_tenant_has_anothers_secret_whatever_it_calls_it() -> None:
    secrets = FakeSecrets({f"{MINE}/stripe": VALUE})
    outcome, _ = await attempted(charge, {"token": {"secret": "stripe"}}, secrets, THEIRS)
    assert outcome == Fail(code="secret_missing", reason="the job's owner has no secret 'stripe'")
    assert secrets.asked == [f"{THEIRS}/stripe"]
    for name in (
        f"{MINE}/stripe",
        f"../{MINE}/stripe",
        "shared/../x",
        "",
        "/",
        "a/b",
        ".hidden",
        "x" * 101,
        "a\n",
        "ä",
    ):
        with pytest.raises(ValidationError):
            Secret(secret=name)


async def test_shared_secrets_are_everybodys() -> None:
    assert place_of(MINE, "shared/mail") == place_of(THEIRS, "shared/mail") == "shared/mail"
    outcome, _ = await attempted(
        plain, {"token": {"secret": "shared/mail"}}, FakeSecrets({"shared/mail": "x" * 9}), THEIRS
    )
    assert outcome == Done(result=JsonText('{"by":"9"}'))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (SecretMissing(), Fail(code="secret_missing", reason="the job's owner has no secret 'stripe'")),
        (SecretForbidden(), Fail(code="secret_forbidden", reason="the function may not read the secret 'stripe'")),
        (SecretsOff(), Fail(code="secrets_off", reason="this deployment keeps no secrets, and 'stripe' is needed")),
        (OUTAGE, Retry(code="secret_unavailable", reason="the secret 'stripe' cannot be read now")),
    ],
)
async def test_what_cannot_be_had_is_the_attempts_outcome(found: SecretFound, expected: Outcome) -> None:
    outcome, _ = await attempted(charge, {"token": {"secret": "stripe"}}, owned(stripe=found))
    assert outcome == expected


async def test_where_nobody_keeps_secrets_the_job_fails() -> None:
    outcome, _ = await attempted(charge, {"token": {"secret": "stripe"}}, None)
    assert outcome == Fail(code="secrets_off", reason="this deployment keeps no secrets, and 'stripe' is needed")


async def test_one_that_will_never_be_there_counts_more_than_one_that_is_not_there_now() -> None:
    document = {"token": {"secret": "a"}, "others": [{"secret": "b"}]}
    outcome, _ = await attempted(charge, document, owned(a=OUTAGE))
    assert isinstance(outcome, Fail)


async def test_a_secret_is_asked_for_once_and_twenty_at_most() -> None:
    secrets = owned(stripe=VALUE)
    outcome, _ = await attempted(plain, {"token": {"secret": "stripe"}, "others": [{"secret": "stripe"}] * 30}, secrets)
    assert isinstance(outcome, Done)
    assert secrets.asked == [f"{MINE}/stripe"]
    many = {"token": {"secret": "stripe"}, "others": [{"secret": f"n{number}"} for number in range(20)]}
    outcome, _ = await attempted(plain, many, secrets)
    assert outcome == Fail(code="too_many_secrets", reason="the payload names 21 secrets, the limit is 20")
    service = SubmissionService(FakeJobRepository(), Catalogue((plain,)), lambda: NOW, numbered_ids())
    refused = await service.submit(Submission(type="payments.plain", payload=many), UserFactory.build())
    assert isinstance(refused, InvalidPayload)
    assert refused.flaws[0].message == "names 21 secrets, the limit is 20"


async def test_who_submits_on_behalf_of_an_owner_names_shared_secrets_alone() -> None:
    service = SubmissionService(FakeJobRepository(), Catalogue((plain,)), lambda: NOW, numbered_ids())
    for names, accepted in ((["shared/mail"], True), (["shared/mail", "stripe"], False)):
        document = {"token": {"secret": "shared/a"}, "others": [{"secret": name} for name in names]}
        submission = Submission(type="payments.plain", payload=document, on_behalf=True)
        submitted = await service.submit(submission, UserFactory.build())
        assert isinstance(submitted, Submitted if accepted else InvalidPayload)


def test_a_secret_shows_its_name_alone() -> None:
    secret = Secret(secret="stripe")
    with pytest.raises(SecretUnavailable, match="'stripe' has a value only in the handler that was given it"):
        _ = secret.value
    give_value(secret, VALUE)
    assert secret.value == VALUE
    for shown in (
        repr(secret),
        str(secret),
        f"{[secret]}",
        secret.model_dump_json(),
        str(dict(secret)),
        str(vars(secret)),
    ):
        assert VALUE not in shown
        assert "sk_live" not in shown
    assert TypeAdapter(Secret).json_schema()["required"] == ["secret"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"a {VALUE} b", "a [secret s] b"),
        (json.dumps({"m": VALUE}), '{"m": "[secret s]"}'),
        (json.dumps({"m": VALUE}, ensure_ascii=False), '{"m": "[secret s]"}'),
        ('sk_live_4f"ø', "[secret s]"),
        ("cut off: sk_live_", "cut off: [secret s]"),
        ("sk_li", "sk_li"),
        ("nothing", "nothing"),
    ],
)
def test_a_text_is_shown_without_it(text: str, shown: str) -> None:
    hidden = Hidden()
    hidden.add("s", VALUE)
    assert hidden.text(text) == shown


def test_the_longest_value_is_replaced_first_and_a_short_one_never() -> None:
    hidden = Hidden()
    for name, value in (("short", "12345"), ("part", "abcdef"), ("whole", "abcdefgh")):
        hidden.add(name, value)
    assert hidden.text("abcdefgh abcdef 12345") == "[secret whole] [secret part] 12345"


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [
        (Retry(reason="no 123456", code="c123456"), Retry(reason="no [secret s]", code="c[secret s]")),
        (Fail(reason="no 123456", code="f"), Fail(reason="no [secret s]", code="f")),
        (
            Done(result=JsonText('{"123456":["x123456",1234567,null,true,1.50]}')),
            Done(result=JsonText('{"[secret s]":["x[secret s]",1234567,null,true,1.5]}')),
        ),
        (Done(result=JsonText('{"n":1.50}')), Done(result=JsonText('{"n":1.50}'))),
        (Stopped(), Stopped()),
        (TimedOut(reason="123456"), TimedOut(reason="123456")),
        (Done(result=BlobRef(key="k", size=1, sha256="0")), Done(result=BlobRef(key="k", size=1, sha256="0"))),
    ],
)
def test_an_outcome_is_shown_without_it(outcome: Outcome, shown: Outcome) -> None:
    hidden = Hidden()
    assert hidden.outcome(outcome) is outcome
    hidden.add("s", "123456")
    assert hidden.outcome(outcome) == shown
