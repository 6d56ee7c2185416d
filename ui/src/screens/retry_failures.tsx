// Retrying all jobs of a type that failed by one error: a dry run first, then portions until none is left.

import { useEffect, useState } from "preact/hooks";
import { call } from "../api/client.ts";
import { Confirm } from "../parts/frame.tsx";
import { Loading } from "../parts/states.tsx";
import { count } from "../pure/bulk.ts";

const PORTION = 500;

type Step = { at: "counting" } | { at: "counted"; matched: number } | { at: "going"; done: number } | { at: "done"; done: number } | { at: "failed"; why: string };

export function RetryFailures({ type, code, onClose }: { type: string; code: string; onClose: () => void }) {
  const [step, setStep] = useState<Step>({ at: "counting" });
  const send = (dry: boolean) => call("POST /v1/failed-jobs/retry", { body: { type, error_code: code, limit: PORTION, dry_run: dry } });
  const failed = (error: unknown) => setStep({ at: "failed", why: error instanceof Error ? error.message : String(error) });
  useEffect(() => {
    send(true).then((found) => setStep({ at: "counted", matched: found.matched }), failed);
  }, []);
  const go = async () => {
    setStep({ at: "going", done: 0 });
    try {
      const found = await send(false);
      setStep({ at: "done", done: found.retried });
    } catch (error) {
      failed(error);
    }
  };
  return (
    <Confirm title="Retry failed jobs" verb={step.at === "counted" ? `Retry ${count(step.matched, "job")}` : "Retry"} disabled={step.at !== "counted" || !step.matched} onConfirm={() => void go()} onClose={onClose}>
      <p class="title-name">
        {type} <span class="code">{code}</span>
      </p>
      <div aria-live="polite">{words(step)}</div>
    </Confirm>
  );
}

function words(step: Step) {
  switch (step.at) {
    case "counting":
    case "going":
      return <Loading rows={1} />;
    case "counted":
      return (
        <p>
          Dry run: <strong>{step.matched === PORTION ? `at least ${PORTION} jobs` : count(step.matched, "job")}</strong> would be queued again, with all attempts. Nothing has changed yet.
        </p>
      );
    case "done":
      return <p>{count(step.done, "job")} queued again.</p>;
    case "failed":
      return <p class="flaw">{step.why}</p>;
  }
}
