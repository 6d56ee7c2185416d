// One job: what became of it, when, why, and what can be done about it.

import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { JobView } from "../../generated/schema.ts";
import { call } from "../api/client.ts";
import { isOfThisMachine } from "../api/session.ts";
import { attempt } from "../live/notices.ts";
import { useLive } from "../live/use_live.ts";
import { useNow } from "../live/use_now.ts";
import { Button, Copy, Facts, Id, Moment, Name, Status } from "../parts/basics.tsx";
import { Confirm, Panel, Screen } from "../parts/frame.tsx";
import { Shown } from "../parts/states.tsx";
import { Timeline } from "../parts/timeline.tsx";
import { count } from "../pure/bulk.ts";
import { expected, isFinal } from "../pure/job.ts";
import { href } from "../pure/route.ts";
import { duration, exact } from "../pure/time.ts";
import { FINAL, spansOf, totals, tracksOf } from "../pure/timeline.ts";
import { FailedAttempts } from "./attempts.tsx";
import { Children, ParentLink } from "./children.tsx";
import { Cost } from "./cost.tsx";
import { Documents } from "./job_documents.tsx";
import { ErrorPanel } from "./job_error.tsx";
import { SignalButtons } from "./signals.tsx";
import { Steps, useSteps } from "./steps.tsx";
import { Why } from "./why.tsx";

const EVERY = 1000;
const POLLED = "wait=5";
const IS_NEW = 60_000;

export function JobScreen({ id }: { id: string }) {
  const live = useLive(`job ${id}`, (signal) => read(id, signal), EVERY, isFinal);
  return (
    <Shown live={live} rows={12}>
      {(job) => <Job job={job} live={live} />}
    </Shown>
  );
}

const seenUnfinished = new Set<string>();

/** While a job is likely to end soon, the API answers when it has; the first read answers at once. */
async function read(id: string, signal: AbortSignal): Promise<JobView> {
  const prefer: Record<string, string> = seenUnfinished.has(id) ? { prefer: POLLED } : {};
  const job = await call("GET /v1/jobs/{job_id}", { path: { job_id: id }, headers: prefer, signal });
  const since = Date.now() - Date.parse(job.updated_at);
  if (["queued", "running"].includes(job.status) && since < IS_NEW) seenUnfinished.add(id);
  else seenUnfinished.delete(id);
  return job;
}

type LiveJob = { refresh: () => void; replace: (change: (before: JobView) => JobView) => void };

function Job({ job, live }: { job: JobView; live: LiveJob }) {
  return (
    <Screen
      title={<span class="title-name" title={job.type}>{job.type}</span>}
      sub={
        <>
          <Status status={job.status} asked={job.cancel_requested} />
          <Id id={job.id} />
        </>
      }
      actions={<Actions job={job} live={live} />}
    >
      {job.error ? <ErrorPanel error={job.error} retries={!isFinal(job)} /> : null}
      <Why job={job} />
      {job.status === "running" && job.progress ? (
        <Panel title="Progress">
          <progress class="large" max={1} value={job.progress.fraction} aria-label="Progress" />
          <p>
            {Math.round(job.progress.fraction * 100)} % <span class="muted">{job.progress.message}</span> <Moment at={job.progress.at} />
          </p>
        </Panel>
      ) : null}
      <Times job={job} />
      <Children job={job} />
      <FailedAttempts history={job.history} error={job.error} />
      <div class="pair">
        <Documents job={job} />
      </div>
      <About job={job} />
    </Screen>
  );
}

function Actions({ job, live }: { job: JobView; live: LiveJob }) {
  const [asking, setAsking] = useState(false);
  const change = (action: "retry" | "cancel") => {
    const before = job;
    live.replace((shown) => expected(shown, action));
    const path = { job_id: job.id };
    const send = () => (action === "retry" ? call("POST /v1/jobs/{job_id}/retry", { path }) : call("POST /v1/jobs/{job_id}/cancel", { path }));
    const undo = () => live.replace(() => before);
    void attempt(send, action === "retry" ? "Queued again." : "Cancelled, or asked to stop.", undo).then((after) => {
      if (after) {
        seenUnfinished.add(job.id);
        live.replace(() => after);
      }
      live.refresh();
    });
  };
  return (
    <>
      <SignalButtons job={job} onSent={live.refresh} />
      <Button kind="primary" disabled={!job.links.retry} onClick={() => change("retry")}>
        Retry
      </Button>
      <Button disabled={!job.links.cancel || job.cancel_requested} onClick={() => setAsking(true)}>
        Cancel
      </Button>
      {asking ? (
        <Confirm
          title="Cancel this job?"
          verb="Cancel the job"
          danger
          onClose={() => setAsking(false)}
          onConfirm={() => {
            setAsking(false);
            change("cancel");
          }}
        >
          <p>{job.status === "running" ? "It is running: its handler is asked to stop, and decides when." : "It ends at once, and can be retried later."}</p>
        </Confirm>
      ) : null}
    </>
  );
}

function Times({ job }: { job: JobView }) {
  const open = !isFinal(job);
  const now = useNow(open ? 500 : 3_600_000);
  const spans = spansOf(job.history, now);
  const { steps, more } = useSteps(job);
  const first = job.history[0];
  if (!first) return null;
  const from = Date.parse(first.at);
  const to = open ? now : Math.max(...job.history.map((each) => Date.parse(each.at)));
  const sums = totals(spans);
  return (
    <Panel title="Timeline">
      <Timeline tracks={[{ name: "This job", spans }, ...tracksOf(steps, to)]} from={from} to={Math.max(to, from + 1)} />
      <Facts
        facts={[
          ["Waited", duration(sums.waiting)],
          ["Ran", duration(sums.running)],
          ...(sums.between ? [["Between attempts", duration(sums.between)] as [string, string]] : []),
          ["In all", duration(to - from)],
          ["Cost so far", <Cost id={job.id} version={job.version} />],
        ]}
      />
      <Steps steps={steps} more={more} />
      <details>
        <summary>
          History <span class="muted">{count(job.history.length, "change")}</span>
        </summary>
        <table class="list">
          <thead>
            <tr>
              <th>Status</th>
              <th class="col-number">Attempt</th>
              <th>Error</th>
              <th>At</th>
              <th class="col-number">Lasted</th>
            </tr>
          </thead>
          <tbody>
            {job.history.map((entry, index) => {
              const next = job.history[index + 1];
              const end = next ? Date.parse(next.at) : FINAL.has(entry.status) ? null : now;
              return (
                <tr key={`${entry.at}${entry.status}`}>
                  <td>
                    <Status status={entry.status} />
                  </td>
                  <td class="col-number">{entry.attempt || "–"}</td>
                  <td>{entry.code ? <span class="code">{entry.code}</span> : null}</td>
                  <td class="exact">{exact(Date.parse(entry.at))}</td>
                  <td class="col-number">{end === null ? "–" : duration(end - Date.parse(entry.at))}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </details>
    </Panel>
  );
}

function Logs({ id }: { id: string }) {
  const command = `headrace logs ${id}`;
  return (
    <p class="command">
      <span class="muted">What it logged:</span> <code>{command}</code> <Copy text={command} what="the command" />
    </p>
  );
}

function About({ job }: { job: JobView }) {
  const tags = Object.entries(job.tags);
  return (
    <Panel title="About">
      <Facts
        facts={[
          ["Type", <Name text={job.type} link={href(["types", job.type])} />],
          ["Attempts", `${job.attempt} of ${job.max_attempts}`],
          ["Created", <Moment at={job.created_at} />],
          ["Started", <Moment at={job.started_at} />],
          ["Finished", <Moment at={job.finished_at} />],
          ...(job.run_at ? [["Due", <Moment at={job.run_at} />] as [string, VNode]] : []),
          ["Deleted", <Moment at={job.expires_at} />],
          ["Owner", <Id id={job.owner_id} short />],
          ...(job.parent ? [["Parent", <ParentLink parent={job.parent} />] as [string, VNode]] : []),
          ["Lane", job.lane ? <Name text={job.lane} link={href(["jobs"], { lane: job.lane })} /> : <span class="muted">–</span>],
          ["Priority", job.priority ?? <span class="muted">–</span>],
          ["Payload version", job.payload_version],
          ...(job.notify ? [["Tells", <Name text={job.notify.url} />] as [string, VNode]] : []),
        ]}
      />
      {isOfThisMachine() ? <Logs id={job.id} /> : null}
      {tags.length ? (
        <ul class="tags">
          {tags.map(([name, value]) => (
            <li key={name} title={`${name}: ${value}`}>
              <a href={href(["jobs"], { tag: `${name}=${value}` })}>
                <span class="muted">{name}</span> {value}
              </a>
            </li>
          ))}
        </ul>
      ) : null}
    </Panel>
  );
}
