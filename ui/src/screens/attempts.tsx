// What each failed attempt of a job said, besides the one whose error the screen shows in full.

import { useState } from "preact/hooks";
import type { ErrorView, HistoryView } from "../../generated/schema.ts";
import { Moment } from "../parts/basics.tsx";
import { Panel } from "../parts/frame.tsx";
import { failuresOf } from "../pure/attempts.ts";

const SHOWN = 5;

export function FailedAttempts({ history, error }: { history: HistoryView[]; error: ErrorView | null }) {
  const [whole, setWhole] = useState(false);
  const failures = failuresOf(history, error);
  if (!failures.length) return null;
  return (
    <Panel title={error ? "Failed attempts before" : "Failed attempts"}>
      <ol class="attempts">
        {(whole ? failures : failures.slice(0, SHOWN)).map((failure) => (
          <Attempt key={failure.at} failure={failure} />
        ))}
      </ol>
      {failures.length > SHOWN ? (
        <button type="button" class="textual" onClick={() => setWhole(!whole)}>
          {whole ? "fewer" : `all ${failures.length}`}
        </button>
      ) : null}
    </Panel>
  );
}

function Attempt({ failure }: { failure: HistoryView }) {
  const { frame, message } = failure;
  return (
    <li>
      <p class="attempt-head">
        <span class="code">{failure.code}</span>
        <span class="muted small">
          attempt {failure.attempt}, <Moment at={failure.at} />
        </span>
      </p>
      {message ? <p class="attempt-message">{message}</p> : null}
      {frame ? (
        <p class="small">
          <span class="place">
            {frame.file}:<b>{frame.line}</b>
          </span>{" "}
          <span class="muted">in {frame.function}</span>
        </p>
      ) : null}
    </li>
  );
}
