"""Writes docs/scale.md: how far Headrace goes on AWS, by simulation (10 s).

`python -m benchmarks.scale_simulation`. The parts are in `benchmarks/scaling`; `python -m
benchmarks.scaling.local_check` measures the comparison with the local stack anew.
"""

from benchmarks.scaling import costs, singular, tables
from benchmarks.scaling.fluid import HOUR
from benchmarks.scaling.local_check import FOUND, Found
from benchmarks.scaling.tables import LOADS
from headrace.emulator.cloudformation import ROOT

DOCUMENT = ROOT / "docs" / "scale.md"


def document() -> str:
    """The whole document."""
    found = Found.model_validate_json(FOUND.read_text())
    return f"""# Scale

How far Headrace goes on AWS, and what binds first: a simulation of AWS's published rules, driven with the measured
costs of our own calls. Written by `python -m benchmarks.scale_simulation`; nothing of it was measured on AWS ([what
only AWS shows](#what-only-aws-shows)).

**In short.**

- 10 jobs a second of up to some seconds run as shipped; of 5 minutes, with two parameters.
- 1,000 a second need `ApiRateLimit`, and `WarmWriteUnits` where they take a second each.
- **The eight keys of the wake index end at 4,000 jobs a second**, whatever AWS grants, if keys in order of time do
  not split. 100,000 a second need it changed (proposal 1).
- **Jobs of 5 minutes end at 33 a second in one runner**, at ten an invocation: one SQS mapping makes 1,000
  invocations at most (proposal 3). 1,000 a second are 300,000 jobs at once, 100,000 a second 30 million: those are
  not for Lambda.
- **Overload must be refused at the door.** Writes are throttled whichever they are, so that too many submissions keep
  running jobs from writing their ends: fewer end than could. Keep `ApiRateLimit`, times the jobs in a request, below
  what the tables below allow.

The proposals are in [decision 030](decisions/030-scale.md).

## How it is simulated

Jobs are a fluid in steps of a second or less, for {HOUR / 60:.0f} minutes from the moment when the load is turned on,
on a table that was new: a hundred thousand jobs a second are too many events to follow, and the limits that they
share act on rates. Waiting time is the distance between the curves of jobs stored and jobs started. Lanes of the
stream are simulated job by job beside it, since a batch that is as slow as its slowest job does not average out;
their waits are added. A wait is from stored to claimed. Jobs mostly wait, for some service: ten that compute share
the {costs.WORKER_CPU_SHARE} vCPU of an invocation and take ten times as long. Up to 10 s they run in the worker,
longer ones in `standard`. Above 1,000 a second, callers submit 25 in a request. There are 1,000 owners, evenly busy.

{tables.rules_table()}

The 4,000 jobs a second of the wake index and the 1,000 of one owner stand on the rule that was not read. If DynamoDB
does split such a key, the limit is softer, and moves with the split.

Of our own: {costs.TABLE_UNITS} write units a job on the table, {costs.OWNER_UNITS} on owner-index, {costs.WAKE_UNITS}
on wake-index (measured); {costs.JOB_CPU_SECONDS * 1000:.1f} ms of CPU in the worker (measured),
{costs.API_SECONDS * 1000:.0f} ms of the API a request (docs/cost.md). Assumed: {costs.CALL_SECONDS * 1000:.0f} ms a
call of DynamoDB, {costs.STREAM_SECONDS * 1000:.0f} ms from a write to its record, {costs.QUEUE_SECONDS * 1000:.0f} ms
through a queue, {costs.INVOKE_SECONDS * 1000:.0f} ms between invocations.

## As shipped

Parameters by their defaults, an account's quotas by theirs. "Accepted" and "ended" are jobs a second in the last ten
minutes; what was not accepted was refused (429 or 503). A growing wait is that of the jobs of this hour, and longer
for those after it.

{tables.table([tables.shipped_row(load) for load in LOADS])}

## What to set

Parameters are those of template.yaml. `WarmWriteUnits` warms the table, its owner index and its wake index alike, for
which AWS charges once ([deploy](deploy.md#a-load-from-the-start)); the stream gets its shards by it.
Quotas are asked for in Service Quotas: DynamoDB's for a table, Lambda's concurrent executions, API Gateway's
throttle.

{tables.settings_table([tables.settings_row(load) for load in LOADS])}

So set, today:

{tables.table([tables.advised_row(load) for load in LOADS])}

With the proposals, none of which is built:

{tables.table([tables.proposed_row(load) for load in LOADS])}

Above 10,000 writes a second money is a limit too: 100,000 jobs a second of $6.20 a million ([cost](cost.md)) are
$2,200 an hour, and as many of 5 minutes, at a hundred an invocation of 1 GB, $14,400 more.

## A batch is as slow as its slowest job

{singular.RATE:.0f} jobs a second of 10 ms in the worker, some of which take {singular.LONG:.0f} s instead. Waits of
the short ones, p50 and p99:

{tables.mixed_table()}

40 lanes are those of a new table, 400 those of one warmed to 40,000 write units. Smaller batches do not help: what
waits is the lane. So the rule of decision 25 holds: types that may take longer than their neighbours can wait name a
runner, whatever their timeout; `Policy(runner="standard")`.

## One lane, one owner, one key

Jobs a second through a lane (decision 26) in which others always wait, by its places and by their length; and how
often it is tried for a place when all are taken at the same moment:

{tables.lane_table()}

A place stands idle for about {1 / singular.lane_rate(1, 0.0):.2f} s between two jobs, since the next one goes through
the stream: a lane with few places is for jobs that take longer than that.

{tables.singles_table()}

## Beside the local stack

The same simulation of lanes under the local stack's rules (one shard, four workers, ten runners, its own times taken
from single jobs) and one run on it, {found.day}, on two cores that others used too:

{tables.check_table(found)}

{_deviations(found)}

The simulator leaves out what an invocation costs the two cores, and a backlog multiplies it. This is one run of three
small cases, and how the time of a single job divides into lag, invocation and calls is a guess. A first run is not
shown: its environments were still starting, and the runner did 5.8 jobs a second where 9.9 were simulated; after it
the warming-up, the number of single jobs (5 for 10) and the queue's poll (50 ms for 100) were changed. Only the lanes
were compared: the fluid, from which the throughputs above come, has nothing here that is large enough, and is tested
against arithmetic alone. So nothing says how far AWS is from the tables above.

## What only AWS shows

- How fast a table really splits: twice the peak in half an hour is what AWS promises; it is often faster. How evenly
  few index keys lie on its partitions: eight keys on four partitions may have less than half of the 4,000.
- Burst capacity (up to 300 s of unused units) and cold starts (some 0.7 s, once for each environment) are left out:
  the first minutes differ.
- Whether Lambda's mapping of a stream with ten invocations a shard keeps all ten busy, and its latencies, assumed
  above.
- How throttled writes are shared: here evenly. The SDK's three tries and the lease, by which a job whose end was
  refused runs again, make overload worse than simulated.
- SQS's fairness between owners, its mapping's real pace, and quotas that AWS grants: a request, not a parameter.
"""


def _deviations(found: Found) -> str:
    return "\n".join(
        f"- {each.case.name}: the simulator says "
        f"{each.simulator.throughput / each.stack.throughput - 1:+.0%} of the stack's throughput, "
        f"{each.simulator.p50 / each.stack.p50 - 1:+.0%} of p50, {each.simulator.p99 / each.stack.p99 - 1:+.0%} of p99."
        for each in found.cases
    )


if __name__ == "__main__":
    DOCUMENT.write_text(document())
    print(DOCUMENT)
