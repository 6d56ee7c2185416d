"""What to set for a load: by template.yaml as it is, and with the proposals of decision 30. Pure."""

import math
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.scaling import costs, rules
from benchmarks.scaling.model import NO_LIMIT, WORKER, Deployment, Load, first_limit

MARGIN: Final = 1.4
WAKE_SHARE: Final = 0.9
"""Of what the index takes: the rest is for the sweeps, and for keys that are not quite even."""
ALONE: Final = 1000
"""Jobs a second up to which each has a request of its own."""
MOST_CONCURRENCY: Final = 30_000
"""The quota of an account that we take AWS to grant; nobody promises it."""
PROPOSED_BATCH: Final = 100
MOST_QUEUES: Final = 10
SPARE: Final = 50
"""Invocations for recorder, sweeper and dispatching."""
PROPOSED_CONCURRENCY: Final = 20_000
PROPOSED_POLLERS: Final = 1_000 / 60
"""Invocations that provisioned pollers add each second: AWS says up to three times the usual pace of 300 a minute."""


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
    """The same with the changes that decision 30 proposes, where it is not enough."""
    today = advised(load)
    if first_limit(load, today.deployment) == NO_LIMIT and not _splits_for_lanes(load):
        return today
    keys = max(8, _power_of_two(load.rate * costs.WAKE_UNITS * MARGIN / rules.PARTITION_WRITES))
    worker = _runner(load) == WORKER
    queues = 1 if worker else min(MOST_QUEUES, math.ceil(MARGIN * load.rate * load.seconds / rules.IN_FLIGHT))
    changed = Deployment(
        runner=_runner(load),
        batch=PROPOSED_BATCH if worker and load.seconds >= 1 else Deployment.batch,
        runner_batch=PROPOSED_BATCH,
        runner_concurrency=PROPOSED_CONCURRENCY,
        pollers=PROPOSED_POLLERS,
        wake_shards=keys,
        queues=queues,
    )
    settings = (
        _if(keys > Deployment.wake_shards, f"{keys} wake shards"),
        _if(worker and changed.batch > Deployment.batch, f"batches of {changed.batch}"),
        _if(not worker, f"provisioned pollers, {PROPOSED_BATCH} jobs an invocation"),
        _if(queues > 1, f"{queues} runners"),
    )
    return _sized(load, load.rate, changed, tuple(each for each in settings if each))


def _splits_for_lanes(load: Load) -> bool:
    """Whether the table would have to be larger than its writes ask for, only to have more lanes."""
    lanes = MARGIN * load.rate * costs.batch_seconds(Deployment.batch, load.seconds) / Deployment.batch
    return _runner(load) == WORKER and lanes > 10 * max(4.0, load.rate * costs.TABLE_UNITS / rules.PARTITION_WRITES)


def _sized(load: Load, rate: float, base: Deployment, settings: tuple[str, ...]) -> Advice:
    """`base` with parameters and quotas for so many jobs a second."""
    each, worker = _jobs_a_request(load), base.runner == WORKER
    requests = rate / each
    runner_batch = base.runner_batch if base.runner_batch > 1 or worker else 10
    invocations = _invocations(load, rate, base.batch if worker else runner_batch, worker)
    most = max(rules.QUEUE_CONCURRENCY, base.runner_concurrency)
    runner = 100 if worker else min(most, max(100, math.ceil(invocations / base.queues)))
    running = invocations if worker else runner * base.queues
    needed = math.ceil(requests * costs.request_seconds(each)) + running + SPARE
    lanes = invocations if worker else MARGIN * rate * costs.dispatch_seconds(base.batch) / base.batch
    by_lanes = lanes / base.parallelization * rules.PARTITION_WRITES
    warm = _thousands(max(rules.NEW_TABLE_WRITES, rate * costs.TABLE_UNITS * 1.2, by_lanes))
    wake = _thousands(max(rules.NEW_TABLE_WRITES, rate * costs.WAKE_UNITS * 1.1))
    deployment = replace(
        base,
        api_rate=max(Deployment.api_rate, math.ceil(requests * (MARGIN if rate == load.rate else 1))),
        jobs_a_request=each,
        runner_batch=runner_batch,
        runner_concurrency=runner,
        gateway=max(rules.GATEWAY_REQUESTS, requests),
        account=min(MOST_CONCURRENCY, max(rules.ACCOUNT_CONCURRENCY, needed)),
        table_quota=max(rules.TABLE_WRITES, warm, wake),
        warm=warm,
        wake_warm=wake,
    )
    return Advice(deployment=deployment, settings=(*settings, *_said(deployment)))


def _invocations(load: Load, rate: float, batch: int, worker: bool) -> int:
    took = costs.batch_seconds(batch, load.seconds) + (0.0 if worker else costs.CALL_SECONDS)
    return math.ceil(MARGIN * rate * took / batch)


def _said(deployment: Deployment) -> tuple[str, ...]:
    """What differs from the defaults of template.yaml and of an account."""
    worker = deployment.runner == WORKER
    concurrency = not worker and deployment.runner_concurrency != Deployment.runner_concurrency
    said = (
        _if(deployment.api_rate > Deployment.api_rate, f"`ApiRateLimit={deployment.api_rate}`"),
        _if(deployment.jobs_a_request > 1, f"submissions by {deployment.jobs_a_request}"),
        _if(concurrency, f"`StandardRunnerConcurrency={deployment.runner_concurrency}`"),
        _if(not worker and deployment.runner_batch == 10, "`StandardRunnerBatchSize=10`"),  # noqa: PLR2004
        _if(deployment.warm > Deployment.warm, f"`WarmWriteUnits={deployment.warm:.0f}`"),
        _if(deployment.table_quota > Deployment.table_quota, f"table quota {deployment.table_quota:,}"),
        _if(deployment.account > Deployment.account, f"concurrency quota {deployment.account:,}"),
        _if(deployment.gateway > Deployment.gateway, f"gateway quota {deployment.gateway:,.0f}"),
    )
    return tuple(each for each in said if each)


def _if(condition: bool, text: str) -> str:
    return text if condition else ""


def _runner(load: Load) -> str:
    return WORKER if load.seconds <= 10 else "standard"  # noqa: PLR2004 - decision 25


def _jobs_a_request(load: Load) -> int:
    return 1 if load.rate <= ALONE else 25


def _thousands(units: float) -> int:
    return math.ceil(units / 1000) * 1000


def _power_of_two(least: float) -> int:
    return 1 << math.ceil(math.log2(max(1.0, least)))
