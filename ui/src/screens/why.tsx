// Why a job waits, in a sentence, with who is in its way.

import type { JobView } from "../../generated/schema.ts";
import { call } from "../api/client.ts";
import { useLive } from "../live/use_live.ts";
import { Id, Moment } from "../parts/basics.tsx";
import { href } from "../pure/route.ts";
import { clock, exact, momentsIn } from "../pure/time.ts";

const WAITING = ["scheduled", "blocked", "queued", "waiting", "retrying"];

export function Why({ job }: { job: JobView }) {
  return WAITING.includes(job.status) ? <Reason key={`${job.id}${job.status}`} id={job.id} /> : null;
}

/** The sentence with its moments in the viewer's zone. */
function InLocalTime({ text }: { text: string }) {
  return (
    <>
      {momentsIn(text).map((part, index) =>
        part.at === null ? (
          part.text
        ) : (
          <time key={index} dateTime={new Date(part.at).toISOString()} title={exact(part.at)}>
            {clock(part.at, Date.now())}
          </time>
        ),
      )}
    </>
  );
}

function Reason({ id }: { id: string }) {
  const live = useLive(`why ${id}`, (signal) => call("GET /v1/jobs/{job_id}/why", { path: { job_id: id }, signal }), 3000);
  const reason = live.data;
  if (!reason) return live.error ? null : <p class="why why-unknown">Waiting…</p>;
  const holders = reason.lane?.holders ?? [];
  return (
    <p class="why" role="status">
      <strong>Waiting:</strong> <InLocalTime text={reason.text.replace(/[^.]$/, "$&.")} />
      {reason.until ? (
        <span class="muted">
          {" "}
          {reason.code === "due_later" ? "That is" : "At the latest"} <Moment at={reason.until} />.
        </span>
      ) : null}
      {reason.lane ? (
        <span class="muted">
          {" "}
          {reason.lane.taken} of {reason.lane.limit} places of <b>{reason.lane.name}</b> are taken, {reason.lane.ahead} ahead.
        </span>
      ) : null}
      {holders.map((holder) =>
        holder.job_id ? (
          <span key={holder.job_id} class="holder">
            {" "}
            <Id id={holder.job_id} short link={href(["jobs", holder.job_id])} />
          </span>
        ) : null,
      )}
    </p>
  );
}
