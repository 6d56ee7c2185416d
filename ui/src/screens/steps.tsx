// What a durable job remembers: its steps with their values, its waits, and the signals that it was sent.

import type { JobView, StepView } from "../../generated/schema.ts";
import { call } from "../api/client.ts";
import { useLive } from "../live/use_live.ts";
import { Moment } from "../parts/basics.tsx";
import { Document } from "../parts/tree.tsx";
import { bytes } from "../pure/json.ts";
import { duration } from "../pure/time.ts";
import { withResults } from "../pure/timeline.ts";

const SHOWN = 50;
const KINDS: Record<string, string> = { time: "waited for its time", signal: "waits for a signal", received: "signal received", timed_out: "no signal in time", children: "called other jobs" };

/** The first steps; read anew when the job has changed. */
export function useSteps(job: JobView): { steps: StepView[]; more: boolean } {
  const has = Boolean(job.steps) || job.status === "waiting";
  const live = useLive(`steps ${job.id} ${has ? job.version : "none"}`, async (signal) =>
    has ? call("GET /v1/jobs/{job_id}/steps", { path: { job_id: job.id }, query: { limit: SHOWN }, signal }) : { items: [], next: null },
  );
  // The earliest first: the API has them by name.
  const steps = withResults(live.data?.items ?? []).toSorted((one, other) => one.began_at.localeCompare(other.began_at));
  return { steps, more: Boolean(live.data?.next) };
}

export function Steps({ steps, more }: { steps: StepView[]; more: boolean }) {
  if (!steps.length) return null;
  return (
    <details>
      <summary>
        Steps <span class="muted">{more ? `${steps.length} of more` : steps.length}</span>
      </summary>
      <table class="list">
        <thead>
          <tr>
            <th>Step</th>
            <th class="col-number">Attempt</th>
            <th class="col-number">Lasted</th>
          </tr>
        </thead>
        <tbody>
          {steps.map((step) => (
            <Line key={`${step.name} ${step.kind}`} step={step} />
          ))}
        </tbody>
      </table>
    </details>
  );
}

function Line({ step }: { step: StepView }) {
  const lasted = step.ended_at ? Date.parse(step.ended_at) - Date.parse(step.began_at) : null;
  return (
    <>
      <tr>
        <td>
          <span class="name strong" title={step.name}>
            {step.name}
          </span>
          <span class="cut muted small">
            {KINDS[step.kind] ?? step.kind}, began <Moment at={step.began_at} />
          </span>
        </td>
        <td class="col-number">{step.attempt}</td>
        <td class="col-number">{lasted === null ? step.until ? <Moment at={step.until} /> : "–" : duration(lasted)}</td>
      </tr>
      {step.value !== null || step.value_size ? (
        <tr>
          <td colSpan={3}>{step.value_size ? <span class="muted">{bytes(step.value_size)}, too large to be shown here</span> : <Document title={`Value of ${step.name}`} value={step.value} />}</td>
        </tr>
      ) : null}
    </>
  );
}
