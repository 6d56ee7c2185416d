"""What to set for a load: by template.yaml as it is, and with the proposals of decision 30. Pure."""

import math
from dataclasses import dataclass
from typing import Final

from benchmarks.scaling import costs, rules
from benchmarks.scaling.model import WORKER, Deployment, Load

MARGIN: Final = 1.4
WAKE_SHARE: Final = 0.9
"""Of what the index takes: the rest is for the sweeps, and for keys that are not quite even."""
ALONE: Final = 1000
"""Jobs a second up to which each has a request of its own."""
MOST_CONCURRENCY: Final = 30_000
"""The quota of an account that we take AWS to grant; nobody promises it."""
PROPOSED_BATCH, PROPOSED_RUNNER_BATCH = 100, 100
PROPOSED_CONCURRENCY: Final = 20_000
PROPOSED_POLLERS: Final = 1_000 / 60
"""Invocations that provisioned pollers add each second: AWS says up to three times the usual pace, which is 300 a minute
and more; up to 1,000 a minute."""


@dataclass(frozen=True)
class Advice:
    """A deployment, and how one comes to it."""

    deployment: Deployment
    settings: tuple[str, ...]


def shipped(load: Load) -> Deployment:
    """Everything by its default; who submits much does it by batches, as then one may."""
    return Deployment(runner=_runner(load), jobs_a_request=_jobs_a_request(load))


def advised(load: Load) -> Advice:
    """The best that parameters and quotas allow today."""
    most = WAKE_SHARE * Deployment().wake_index.quota / costs.WAKE_UNITS
    return _sized(load, min(load.rate, most), Deployment(runner=_runner(load)), ())


def proposed(load: Load) -> Advice:
    """The same with the changes that decision 30 proposes."""
    keys = max(8, _power_of_two(load.rate * costs.WAKE_UNITS * MARGIN / rules.PARTITION_WRITES))
    changed = Deployment(
        runner=_runner(load),
        batch=PROPOSED_BATCH if load.seconds >= 1 else 10,
        runner_batch=PROPOSED_RUNNER_BATCH,
        runner_concurrency=PROPOSED_CONCURRENCY,
        pollers=PROPOSED_POLLERS,
        wake_shards=keys,
    )
    settings = [f"{keys} wake shards"] if keys > Deployment().wake_shards else []
    if changed.runner == WORKER and changed.batch > Deployment().batch:
        settings.append(f"batches of {changed.batch}")
    if changed.runner != WORKER:
        settings.append(f"provisioned pollers, {PROPOSED_RUNNER_BATCH} jobs an invocation")
    return _sized(load, load.rate, changed, tuple(settings))


def _sized(load: Load, rate: float, base: Deployment, settings: tuple[str, ...]) -> Advice:
    each = _jobs_a_request(load)
    requests = rate / each
    api = math.ceil(requests * (MARGIN if rate == load.rate else 1))
    worker = base.runner == WORKER
    runner_batch = base.runner_batch if base.runner_batch > 1 or worker else 10
    batch = base.batch if worker else runner_batch
    took = costs.batch_seconds(batch, load.seconds) + (0 if worker else costs.CALL_SECONDS)
    invocations = math.ceil(MARGIN * rate * took / batch)
    most = base.runner_concurrency if base.runner_concurrency > rules.QUEUE_CONCURRENCY else rules.QUEUE_CONCURRENCY
    runner = min(most, max(100, invocations))
    needed = math.ceil(requests * costs.request_seconds(each)) + (invocations if worker else runner) + 50
    account = min(MOST_CONCURRENCY, max(rules.ACCOUNT_CONCURRENCY, needed, math.ceil(requests / 10)))
    lanes = invocations if worker else MARGIN * rate * costs.dispatch_seconds(base.batch) / base.batch
    warm = _thousands(max(rules.NEW_TABLE_WRITES, rate * costs.TABLE_UNITS * 1.2, lanes / 10 * rules.PARTITION_WRITES))
    wake = _thousands(max(rules.NEW_TABLE_WRITES, rate * costs.WAKE_UNITS * 1.1))
    quota = max(rules.TABLE_WRITES, warm, wake)
    said = [
        _if(api > Deployment.api_rate, f"`ApiRateLimit={api}`"),
        _if(each > 1, f"submissions by {each}"),
        _if(not worker and runner != Deployment.runner_concurrency, f"`StandardRunnerConcurrency={runner}`"),
        _if(not worker and runner_batch == 10, "`StandardRunnerBatchSize=10`"),
        _if(warm > rules.NEW_TABLE_WRITES, f"table warmed to {warm:,}"),
        _if(wake > rules.NEW_TABLE_WRITES, f"indexes to {wake:,}"),
        _if(quota > rules.TABLE_WRITES, f"table quota {quota:,}"),
        _if(account > rules.ACCOUNT_CONCURRENCY, f"concurrency quota {account:,}"),
        _if(requests > rules.GATEWAY_REQUESTS, f"gateway quota {math.ceil(requests):,}"),
    ]
    deployment = Deployment(
        runner=base.runner, api_rate=max(api, Deployment.api_rate), jobs_a_request=each, batch=base.batch,
        runner_batch=runner_batch, runner_concurrency=runner, gateway=max(rules.GATEWAY_REQUESTS, requests),
        account=account, table_quota=quota, warm=warm, wake_warm=wake, wake_shards=base.wake_shards, pollers=base.pollers,
    )  # fmt: skip
    return Advice(deployment=deployment, settings=(*settings, *(each for each in said if each)))


def _if(condition: bool, text: str) -> str:
    return text if condition else ""


def _runner(load: Load) -> str:
    return WORKER if load.seconds <= 10 else "standard"  # noqa: PLR2004 - decision 25


def _jobs_a_request(load: Load) -> int:
    return 1 if load.rate <= ALONE else 25


def _thousands(units: float) -> int:
    return math.ceil(units / 1000) * 1000


def _power_of_two(least: float) -> int:
    return 2 ** math.ceil(math.log2(max(1.0, least)))
