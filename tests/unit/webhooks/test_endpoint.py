"""What makes an endpoint be told, fail, and be disabled."""

from datetime import timedelta

import pytest

from domain.jobs.job import Job
from domain.webhooks.endpoint import (
    FAILING_LIMIT,
    PATIENCE,
    Disabled,
    Enabled,
    Endpoint,
    EndpointWishes,
    after_failure,
    after_gone,
    after_success,
    changed_endpoint,
    wants,
)
from tests.factories import NOW, in_every_state, succeeded
from tests.unit.webhooks.parts import URL, an_endpoint

DAY = timedelta(days=1)


def since(endpoint: Endpoint) -> object:
    return endpoint.state.failing_since if isinstance(endpoint.state, Enabled) else endpoint.state


@pytest.mark.parametrize("job", in_every_state())
def test_an_endpoint_wants_the_statuses_that_it_names(job: Job) -> None:
    assert wants(an_endpoint(), job) is (job.status in {"succeeded", "failed", "cancelled"})
    assert wants(an_endpoint(statuses=("retrying",)), job) is (job.status == "retrying")


def test_an_endpoint_wants_its_types_and_nothing_from_before_it_or_while_it_is_disabled() -> None:
    job = succeeded(type="csv.profile")
    assert wants(an_endpoint(types=("csv.profile",)), job)
    assert not wants(an_endpoint(types=("other",)), job)
    assert not wants(an_endpoint(), succeeded(NOW - DAY))
    assert not wants(after_gone(an_endpoint(), NOW), job)


def test_failures_count_from_the_first_after_a_success() -> None:
    first = after_failure(an_endpoint(), 1, NOW)
    assert (since(first), first.version) == (NOW, 2)
    assert after_failure(first, 9, NOW + FAILING_LIMIT / 2) == first
    again = after_success(first, NOW + DAY)
    assert since(again) is None
    assert after_success(again, NOW + DAY) == again


def test_an_endpoint_that_fails_for_days_is_disabled() -> None:
    failing = after_failure(an_endpoint(), 1, NOW)
    late = NOW + FAILING_LIMIT
    assert after_failure(failing, PATIENCE - 1, late) == failing, "a delivery that has hardly been tried says little"
    disabled = after_failure(failing, PATIENCE, late)
    assert disabled.state == Disabled(since=late, reason="failing")
    assert after_failure(disabled, PATIENCE, late) == after_success(disabled, late) == disabled


def test_an_endpoint_that_is_gone_is_disabled_at_once_and_once() -> None:
    gone = after_gone(an_endpoint(), NOW)
    assert gone.state == Disabled(since=NOW, reason="gone")
    assert after_gone(gone, NOW + DAY) == gone


def test_an_admin_disables_and_enables() -> None:
    wishes = EndpointWishes(url=f"{URL}/2")
    off = changed_endpoint(an_endpoint(), wishes, False, NOW + DAY)
    assert off.state == Disabled(since=NOW + DAY, reason="requested")
    assert (off.url, off.version, off.updated_at) == (f"{URL}/2", 2, NOW + DAY)
    assert changed_endpoint(off, wishes, False, NOW + 2 * DAY).state == off.state
    assert changed_endpoint(off, wishes, None, NOW + 2 * DAY).state == off.state
    assert changed_endpoint(off, wishes, True, NOW + 2 * DAY).state == Enabled()
