// Retrying or cancelling many jobs: first a dry run that counts, then the change, with how it went.

import { useEffect, useState } from "preact/hooks";
import type { ListedJobView } from "../../generated/schema.ts";
import { call } from "../api/client.ts";
import { Button } from "../parts/basics.tsx";
import { Dialog } from "../parts/frame.tsx";
import { Loading } from "../parts/states.tsx";
import { count, inTurns, planOf, type BulkAction, type Plan } from "../pure/bulk.ts";

const AT_ONCE = 4;
const VERBS = { retry: "Retry", cancel: "Cancel" };
const DONE = { retry: "queued again", cancel: "cancelled, or asked to stop" };

interface Props {
  action: BulkAction;
  /** Finds the jobs that are meant. */
  find: () => Promise<{ jobs: ListedJobView[]; capped: boolean }>;
  onClose: () => void;
}

interface Progress {
  done: number;
  refused: string[];
}

export function BulkDialog({ action, find, onClose }: Props) {
  const [plan, setPlan] = useState<(Plan<ListedJobView> & { capped: boolean }) | Error | undefined>();
  const [progress, setProgress] = useState<Progress | undefined>();
  useEffect(() => {
    find().then(
      ({ jobs, capped }) => setPlan({ ...planOf(jobs, action), capped }),
      (error: Error) => setPlan(error),
    );
  }, []);
  const change = async (jobs: ListedJobView[]) => {
    let state: Progress = { done: 0, refused: [] };
    setProgress(state);
    const act = (job: ListedJobView) =>
      action === "retry" ? call("POST /v1/jobs/{job_id}/retry", { path: { job_id: job.id } }) : call("POST /v1/jobs/{job_id}/cancel", { path: { job_id: job.id } });
    await inTurns(jobs, AT_ONCE, act, (failed) => {
      state = { done: state.done + 1, refused: failed ? [...state.refused, failed.message] : state.refused };
      setProgress(state);
    });
  };
  return (
    <Dialog title={`${VERBS[action]} jobs`} onClose={onClose}>
      <div class="dialog-body" aria-live="polite">
        {plan === undefined ? <Loading rows={2} /> : plan instanceof Error ? <p class="flaw">{plan.message}</p> : progress ? <Going action={action} progress={progress} whole={plan.eligible.length} /> : <DryRun action={action} plan={plan} />}
      </div>
      <div class="dialog-foot">
        <Button onClick={onClose}>{progress ? "Close" : "Back"}</Button>
        {plan && !(plan instanceof Error) && !progress ? (
          <Button kind={action === "cancel" ? "danger" : "primary"} disabled={plan.eligible.length === 0} onClick={() => void change(plan.eligible)}>
            {VERBS[action]} {count(plan.eligible.length, "job")}
          </Button>
        ) : null}
      </div>
    </Dialog>
  );
}

function DryRun({ action, plan }: { action: BulkAction; plan: Plan<ListedJobView> & { capped: boolean } }) {
  return (
    <>
      <p>
        Dry run: <strong>{count(plan.eligible.length, "job")}</strong> would be {DONE[action]}. Nothing has changed yet.
      </p>
      {plan.byType.length ? (
        <ul class="plain">
          {plan.byType.slice(0, 8).map(([type, number]) => (
            <li key={type}>
              <span class="number">{number.toLocaleString("en")}</span> {type}
            </li>
          ))}
        </ul>
      ) : null}
      {plan.others ? <p class="muted">{count(plan.others, "other")} cannot: their status does not permit it.</p> : null}
      {plan.capped ? <p class="muted">There are more; this takes the first {plan.eligible.length + plan.others}. Repeat it for the rest.</p> : null}
    </>
  );
}

function Going({ action, progress, whole }: { action: BulkAction; progress: Progress; whole: number }) {
  const good = progress.done - progress.refused.length;
  return (
    <>
      <progress max={whole} value={progress.done} aria-label="Progress" />
      <p>
        {progress.done < whole ? `${progress.done} of ${whole}…` : `${count(good, "job")} ${DONE[action]}.`}
      </p>
      {progress.refused.length ? (
        <p class="flaw">
          {count(progress.refused.length, "job")} refused: {[...new Set(progress.refused)].slice(0, 3).join(" ")}
        </p>
      ) : null}
    </>
  );
}
