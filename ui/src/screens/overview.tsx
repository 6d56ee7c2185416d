// Whether all is well: what ends, what fails and why, how long jobs wait, and what is unfinished.

import type { StatsView, UserView } from "../../generated/schema.ts";
import { useState } from "preact/hooks";
import { call } from "../api/client.ts";
import { useLive } from "../live/use_live.ts";
import { refine } from "../live/use_route.ts";
import { Button, Id, Moment, Name, Since } from "../parts/basics.tsx";
import { Throughput } from "../parts/chart.tsx";
import { Choice, Panel, Screen } from "../parts/frame.tsx";
import { Empty, Shown } from "../parts/states.tsx";
import { dollars } from "../pure/money.ts";
import { href } from "../pure/route.ts";
import { duration } from "../pure/time.ts";
import { MemberOverview } from "./member_overview.tsx";
import { RetryFailures } from "./retry_failures.tsx";

const EVERY = 5000;
const OTHERS = "(others)";
const STATES = ["scheduled", "blocked", "waiting", "queued", "running", "retrying"];
const ALWAYS = ["scheduled", "queued", "running", "retrying"];
type Window = StatsView["window"];
const WINDOWS: readonly (readonly [Window, string])[] = [
  ["1h", "1 hour"],
  ["24h", "1 day"],
  ["7d", "7 days"],
  ["30d", "30 days"],
];

export function OverviewScreen({ me, query }: { me: UserView; query: Record<string, string> }) {
  return me.role === "admin" ? <AdminOverview query={query} /> : <MemberOverview />;
}

function AdminOverview({ query }: { query: Record<string, string> }) {
  const window = WINDOWS.find(([each]) => each === query.window)?.[0] ?? "1h";
  const type = query.type ?? "";
  const live = useLive(`stats ${window} ${type}`, (signal) => call("GET /v1/stats", { query: { window, ...(type ? { type } : {}) }, signal }), EVERY);
  return (
    <Screen
      title="Overview"
      sub={
        type ? (
          <>
            <Name text={type} />{" "}
            <button type="button" class="textual" onClick={() => refine([], { window })}>
              all types
            </button>
          </>
        ) : (
          "All types, all owners"
        )
      }
      actions={<Choice label="Window" value={window} options={WINDOWS} onChange={(next) => refine([], { window: next, type })} />}
    >
      <Shown live={live} rows={10}>
        {(stats) => <Stats stats={stats} window={window} refresh={live.refresh} />}
      </Shown>
    </Screen>
  );
}

function Stats({ stats, window, refresh }: { stats: StatsView; window: Window; refresh: () => void }) {
  return (
    <>
      <Tiles stats={stats} />
      {stats.recorded ? null : <p class="stale">This deployment records no statistics: only what is unfinished is known.</p>}
      <Panel title="What ended" actions={<Ended stats={stats} />}>
        <Throughput points={stats.points} step={stats.step_seconds} />
        {stats.complete ? null : <p class="muted small">Not all of it is added up yet.</p>}
      </Panel>
      <Failures stats={stats} refresh={refresh} />
      <Types stats={stats} window={window} />
    </>
  );
}

function Tiles({ stats }: { stats: StatsView }) {
  const unfinished = stats.unfinished;
  if (!unfinished) return null;
  const states = STATES.filter((each) => ALWAYS.includes(each) || unfinished.by_status[each]);
  const due = unfinished.oldest_due;
  return (
    <div class="tiles">
      {states.map((status) => (
        <a key={status} class={`tile status-${status}`} href={href(["jobs"], { owner: "*", status, ...(stats.type ? { type: stats.type } : {}) })}>
          <span class="tile-name">{status}</span>
          <span class="tile-number">
            {unfinished.exact ? "" : "≈ "}
            {(unfinished.by_status[status] ?? 0).toLocaleString("en")}
          </span>
        </a>
      ))}
      {due ? (
        <a class="tile" href={href(["jobs", due.job_id])} title={`${due.type} has been ${due.status} since then`}>
          <span class="tile-name">oldest due</span>
          <span class="tile-number">
            <Since at={due.since} text={duration} />
          </span>
        </a>
      ) : (
        <div class="tile">
          <span class="tile-name">oldest due</span>
          <span class="tile-number muted">none</span>
        </div>
      )}
    </div>
  );
}

function Ended({ stats }: { stats: StatsView }) {
  const { succeeded = 0, failed = 0 } = stats.counts;
  return (
    <p class="sums">
      <b>{succeeded.toLocaleString("en")}</b> succeeded <b class={failed ? "code-like" : ""}>{failed.toLocaleString("en")}</b> failed <b>{dollars(stats.cost_usd)}</b>{" "}
      <span class="muted" title={stats.cost_note}>
        in all
      </span>
    </p>
  );
}

function Failures({ stats, refresh }: { stats: StatsView; refresh: () => void }) {
  const [retrying, setRetrying] = useState<StatsView["failures"][number] | undefined>();
  return (
    <Panel title="Failures" flush>
      {stats.failures.length ? (
        <table class="list">
          <thead>
            <tr>
              <th>Type and error</th>
              <th class="col-number">Jobs</th>
              <th class="col-short wide">Latest</th>
              <th class="col-time wide">At</th>
              <th class="col-change">Change</th>
            </tr>
          </thead>
          <tbody>
            {stats.failures.map((failure) => (
              <tr key={`${failure.type} ${failure.code}`}>
                <td>
                  <a data-line class="name strong" href={href(["jobs", failure.last_job_id])} title={`The latest: ${failure.type}`}>
                    {failure.type}
                  </a>
                  <span class="code cut" title={failure.code}>
                    {failure.code}
                  </span>
                </td>
                <td class="col-number">
                  <a href={href(["jobs"], { owner: "*", status: "failed", type: failure.type, ...(failure.code === OTHERS ? {} : { code: failure.code }) })}>{failure.count.toLocaleString("en")}</a>
                </td>
                <td class="col-short wide">
                  <Id id={failure.last_job_id} short link={href(["jobs", failure.last_job_id])} />
                </td>
                <td class="col-time wide">
                  <Moment at={failure.last_at} />
                </td>
                <td class="col-change">
                  <Button disabled={failure.code === OTHERS || failure.type === OTHERS} onClick={() => setRetrying(failure)} label={`Retry… ${failure.type} that failed by ${failure.code}`}>
                    Retry…
                  </Button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        <Empty title="Nothing failed" />
      )}
      {retrying ? (
        <RetryFailures
          type={retrying.type}
          code={retrying.code}
          onClose={() => {
            setRetrying(undefined);
            refresh();
          }}
        />
      ) : null}
    </Panel>
  );
}

function Types({ stats, window }: { stats: StatsView; window: Window }) {
  if (!stats.types.length) return null;
  const seconds = (value: number | null) => (value === null ? <span class="muted">–</span> : duration(value * 1000));
  return (
    <Panel title="Types" flush>
      <table class="list stats">
        <thead>
          <tr>
            <th>Type</th>
            <th class="col-number">Done</th>
            <th class="col-number">Failed</th>
            <th class="col-number wide">Waited p50</th>
            <th class="col-number wide">p95</th>
            <th class="col-number wide">Ran p50</th>
            <th class="col-number">p95</th>
            <th class="col-number col-cost wide">Cost</th>
          </tr>
        </thead>
        <tbody>
          {stats.types.map((each) => (
            <tr key={each.type}>
              <td>
                <a data-line class="name strong" href={href([], { window, type: each.type })} title={each.type}>
                  {each.type}
                </a>
              </td>
              <td class="col-number">{(each.counts.succeeded ?? 0).toLocaleString("en")}</td>
              <td class="col-number">{each.counts.failed ? <span class="code-like">{each.counts.failed.toLocaleString("en")}</span> : <span class="muted">0</span>}</td>
              <td class="col-number wide">{seconds(each.waiting.p50)}</td>
              <td class="col-number wide">{seconds(each.waiting.p95)}</td>
              <td class="col-number wide">{seconds(each.running.p50)}</td>
              <td class="col-number">{seconds(each.running.p95)}</td>
              <td class="col-number col-cost wide">{dollars(each.cost_usd)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <td>All</td>
            <td class="col-number">{(stats.counts.succeeded ?? 0).toLocaleString("en")}</td>
            <td class="col-number">{(stats.counts.failed ?? 0).toLocaleString("en")}</td>
            <td class="col-number wide">{seconds(stats.waiting.p50)}</td>
            <td class="col-number wide">{seconds(stats.waiting.p95)}</td>
            <td class="col-number wide">{seconds(stats.running.p50)}</td>
            <td class="col-number">{seconds(stats.running.p95)}</td>
            <td class="col-number col-cost wide">{dollars(stats.cost_usd)}</td>
          </tr>
        </tfoot>
      </table>
    </Panel>
  );
}
