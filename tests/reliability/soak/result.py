"""What a soak has shown, as a report."""

from collections.abc import Iterator
from datetime import UTC, datetime

from headrace.authoring.frozen import Frozen
from tests.reliability.soak.disturbing import Fault
from tests.reliability.soak.logs import EXPLAINED, Errors
from tests.reliability.soak.watching import Trend
from tests.reliability.soak.work import BATCH, MIX


class Soaked(Frozen):
    """One run."""

    minutes: float
    capacity: float
    """Jobs a second, when as many as possible were submitted."""
    pace: float
    """Jobs a second, in the soak."""
    jobs: int
    ended: dict[str, int]
    """Of the submitted jobs, by state."""
    attempts: int
    ticks: int
    """Jobs that the schedule made."""
    to_tell: int
    """Ends of which the webhook was to hear."""
    told: int
    repeated: int
    kills: int
    faults: tuple[Fault, ...]
    errors: Errors
    trends: dict[str, Trend]
    machine: str

    def problems(self) -> Iterator[str]:
        """What should not be."""
        if self.ended != {"succeeded": self.jobs}:
            yield f"of {self.jobs} accepted jobs ended: {self.ended}"
        if self.told != self.to_tell:
            yield f"of {self.to_tell} ends, {self.told} were told"
        if abs(self.ticks - self.minutes) > 2:
            yield f"{self.ticks} jobs of the schedule in {self.minutes:.0f} minutes"
        yield from (f"{name} grows: {trend}" for name, trend in self.trends.items() if not trend.is_flat)
        yield from (f"unexplained: {line:.400}" for line in self.errors.unexplained)


def report(found: Soaked) -> str:
    """As a document."""
    mix = ", ".join(f"{times} `{type}`" for type, times in MIX.items())
    faults = "\n".join(
        f"| {name} | {sum(each.name == name for each in found.faults)} |"
        for name in dict.fromkeys(each.name for each in found.faults)
    )
    trends = "\n".join(
        f"| {name} | {trend.early.megabytes:.0f} | {trend.late.megabytes:.0f} | {trend.early.descriptors} "
        f"| {trend.late.descriptors} |"
        for name, trend in found.trends.items()
    )
    errors = "\n".join(
        f"| `{name}` | {times:,} | {EXPLAINED[name]} |" for name, times in found.errors.explained.items()
    )
    return f"""# Soak

{found.minutes:.0f} minutes of mixed work on the local stack with all its functions, at half of what the machine can do,
with a fault a minute (`tests/reliability/soak/`).
Written by `make soak` on {datetime.now(UTC):%Y-%m-%d}, on {found.machine};
if a job is lost, memory or descriptors grow, or a line of level ERROR is not explained by a fault, no report is
written.

Of each {BATCH} jobs: {mix}; among the short ones, one has a payload that is a blob, and one is delayed by up to twenty
seconds. `soak.lane` has a limit of ten, a webhook tells of its ends to a receiver that fails a third of the requests;
`soak.steps` remembers a step, sleeps and goes on; `soak.retried` asks for a second attempt. A schedule makes a job each
minute.

| | |
|---|---|
| jobs a second, when as many as possible are submitted | {found.capacity:.0f} |
| jobs a second in the soak | {found.pace:.0f} |
| jobs accepted | {found.jobs:,} |
| ended | {", ".join(f"{times:,} {status}" for status, times in found.ended.items())} |
| attempts, waits not counted | {found.attempts:,} |
| jobs of the schedule | {found.ticks:,} |
| ends told to the webhook, of as many that were to be told | {found.told:,} |
| processes killed | {found.kills:,} |
| submissions that a client had to repeat | {found.repeated:,} |

| Fault | times |
|---|---|
{faults}

Memory of the largest process (resident, MB) and its open descriptors, early and at the end: medians of the second fifth
of the time, and of the last. MiniStack keeps all tables in memory, and is left out.

| Process | MB, early | MB, late | descriptors, early | late |
|---|---|---|---|---|
{trends}

Lines of level ERROR, all of them within a minute of a fault that explains them:

| Message | times | why |
|---|---|---|
{errors or "| none | | |"}
"""
