"""The simulation behind docs/scale.md: its parts against what can be calculated, its defaults against template.yaml."""

from random import Random

import pytest
import yaml

from benchmarks.scale_simulation import DOCUMENT
from benchmarks.scaling import rules, singular, tables
from benchmarks.scaling.advice import advised, proposed, shipped
from benchmarks.scaling.fluid import delays, simulate
from benchmarks.scaling.lanes import Arrival, Delivery, waits
from benchmarks.scaling.local_check import FOUND, Found
from benchmarks.scaling.model import Deployment, Load, ceilings, first_limit
from headrace.emulator.cloudformation import TEMPLATE
from persistence.converters.dynamo_to_domain import WAKE_SHARDS

AT_ONCE = Delivery(lanes=1, environments=1, batch=10, poll=0.001, lag=0, invoke=0, call=0, cpu=0)
SLICE = (Load(rate=10, seconds=0.01), Load(rate=1000, seconds=300))


def jobs(*each: tuple[float, float]) -> tuple[Arrival, ...]:
    return tuple(Arrival(at=at, seconds=seconds) for at, seconds in each)


def test_the_document_is_what_the_program_writes() -> None:
    text = DOCUMENT.read_text()
    for load in SLICE:
        for row in (tables.shipped_row, tables.advised_row, tables.proposed_row, tables.settings_row):
            assert row(load) in text, "run `python -m benchmarks.scale_simulation`"
    assert tables.rules_table() in text
    assert tables.singles_table() in text
    assert tables.check_table(Found.model_validate_json(FOUND.read_text())) in text


def test_the_simulated_defaults_are_those_of_the_template() -> None:
    class Loader(yaml.SafeLoader):
        """Ignores CloudFormation's tags."""

    Loader.add_multi_constructor("!", lambda *_: None)
    parameters = yaml.load(TEMPLATE.read_text(), Loader)["Parameters"]
    default = Deployment()
    assert parameters["ApiRateLimit"]["Default"] == default.api_rate
    assert parameters["WorkerBatchSize"]["Default"] == default.batch
    assert parameters["WorkerParallelization"]["Default"] == default.parallelization
    assert parameters["StandardRunnerBatchSize"]["Default"] == default.runner_batch
    assert parameters["StandardRunnerConcurrency"]["Default"] == default.runner_concurrency
    assert parameters["StandardRunnerConcurrency"]["MaxValue"] == rules.QUEUE_CONCURRENCY
    assert parameters["WorkerWakeConcurrency"]["Default"] == tables.WAKE_CONCURRENCY
    assert len(WAKE_SHARDS) == default.wake_shards
    assert parameters["WarmWriteUnits"]["Default"] == 0, "then AWS's own, which are the simulation's"


@pytest.mark.parametrize("load", tables.LOADS)
def test_what_is_advised_today_is_permitted_by_the_template(load: Load) -> None:
    deployment = advised(load).deployment
    assert deployment.runner_concurrency <= rules.QUEUE_CONCURRENCY
    assert deployment.runner_batch <= 10
    assert deployment.wake_warm <= deployment.warm, "one parameter warms the table and its indexes"
    assert (deployment.batch, deployment.wake_shards, deployment.queues) == (10, 8, 1)


@pytest.mark.parametrize("load", tables.LOADS)
def test_advice_lets_as_many_jobs_pass_as_the_default_and_proposals_as_many_as_advice(load: Load) -> None:
    least = [next(iter(ceilings(load, each).values())) for each in (shipped(load), advised(load).deployment)]
    assert least[0] <= least[1]
    assert min(load.rate, least[1]) <= next(iter(ceilings(load, proposed(load).deployment).values())) * 1.001


def test_a_job_behind_a_longer_one_in_its_lane_waits_for_that_ones_end() -> None:
    waited = waits(jobs((0, 8.0), (1, 0.01)), AT_ONCE, Random(1))
    assert waited == pytest.approx((0, 7), abs=0.01)


def test_jobs_that_wait_in_a_lane_start_together_up_to_a_batch() -> None:
    waited = waits(jobs((0, 5.0), *((1, 1.0) for _ in range(11))), AT_ONCE, Random(1))
    assert waited[1:11] == pytest.approx((4,) * 10, abs=0.01)
    assert waited[11] == pytest.approx(5, abs=0.01)


def test_no_more_invocations_run_than_there_are_environments() -> None:
    many = Delivery(lanes=10**6, environments=3, batch=1, poll=0.001, lag=0, invoke=0, call=0, cpu=0)
    waited = waits(jobs(*((0.001, 1.0) for _ in range(9))), many, Random(1))
    assert sorted(waited) == pytest.approx([0] * 3 + [1] * 3 + [2] * 3, abs=0.01)


def test_a_backlog_delays_a_job_by_what_is_before_it() -> None:
    # Two a second come for ten seconds, one starts: the last has waited as long as it took to come.
    found = delays([2.0] * 10 + [0.0] * 10, [0.0] + [1.0] * 19, 1.0)
    assert [delay for delay, jobs in found if jobs] == [pytest.approx(place, abs=1) for place in range(10)]


def test_jobs_that_did_not_start_are_taken_to_start_at_the_last_pace() -> None:
    ((delay, _), *_rest) = delays([100.0] + [0.0] * 9, [1.0] * 10, 1.0)
    assert delay == pytest.approx(48, abs=1)


def test_a_pool_ends_as_many_jobs_as_its_places_allow() -> None:
    load, small = Load(rate=10, seconds=100), Deployment(runner="standard", runner_concurrency=100)
    found = simulate(load, small)
    assert found.ended == pytest.approx(1, rel=0.02)
    assert found.grows


def test_a_table_doubles_what_it_takes_half_an_hour_after_its_peak() -> None:
    table = Deployment().table
    assert (table.at(0), table.at(2000), table.at(4000), table.at(10**6)) == (4000, 4000, 8000, 40_000)


def test_the_wake_index_never_takes_more_than_its_keys() -> None:
    found = ceilings(Load(rate=1e5, seconds=0.01), Deployment(table_quota=1e6, wake_warm=1e6, warm=1e6))
    assert found["wake-index, 8 keys"] == 4000
    assert list(found.values()) == sorted(found.values())


def test_submissions_beyond_what_the_table_takes_keep_jobs_from_ending() -> None:
    load = Load(rate=1e5, seconds=0.01)
    flooded = simulate(load, Deployment(api_rate=1e5, jobs_a_request=25))
    guarded = simulate(load, Deployment(api_rate=50, jobs_a_request=25))
    assert flooded.ended < guarded.ended / 2


def test_one_owner_submits_no_more_than_its_partition_takes() -> None:
    assert "owner-index" in first_limit(Load(rate=2000, seconds=0.01, owners=1), Deployment(api_rate=10**4))


def test_the_mapping_of_a_queue_and_a_function_grow_at_their_pace() -> None:
    assert [rules.queue_invocations(seconds, 100) for seconds in (0, 10, 60)] == [5, 55, 100]
    assert [rules.environments(seconds, 1500) for seconds in (0, 1, 60)] == [1000, 1100, 1500]


def test_a_lane_of_one_is_idle_between_two_jobs() -> None:
    assert singular.lane_rate(1, 0.01) < 5
    assert singular.lane_rate(100, 0.01) == 250


def test_claims_of_one_place_conflict_and_of_many_seldom() -> None:
    assert singular.claim_tries(1, 3, Random(1)) == [1, 6, 6]
    tries = singular.claim_tries(100, 5, Random(1))
    assert sum(tries) <= 6
