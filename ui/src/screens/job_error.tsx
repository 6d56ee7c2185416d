// Why a job failed: message, code, and the lines of the handler's own code that the exception came through.

import type { ErrorView, FrameView } from "../../generated/schema.ts";
import { useState } from "preact/hooks";
import { Copy, Moment } from "../parts/basics.tsx";

const SHOWN = 600;
const REASONS: Record<string, string> = {
  exhausted: "All attempts failed.",
  permanent: "The handler says that another attempt would not help.",
  timeout: "It took longer than its type permits.",
  expired: "Its worker did not come back in time.",
};

export function ErrorPanel({ error, retries }: { error: ErrorView; retries: boolean }) {
  const [whole, setWhole] = useState(false);
  const long = error.message.length > SHOWN;
  const frames = error.frames ?? [];
  return (
    <section class={`panel error ${retries ? "error-passing" : ""}`} aria-label="Error">
      <div class="panel-head">
        <h2>
          <span class="code">{error.code}</span>
          <span class="muted small">
            attempt {error.attempt}, <Moment at={error.at} />
          </span>
        </h2>
        <Copy text={asText(error)} what="the error" />
      </div>
      <p class="message">
        {long && !whole ? `${error.message.slice(0, SHOWN)}…` : error.message || "It has no message."}
        {long ? (
          <button type="button" class="textual" onClick={() => setWhole(!whole)}>
            {whole ? "less" : `all ${error.message.length.toLocaleString("en")} signs`}
          </button>
        ) : null}
      </p>
      {frames.length ? <Frames frames={frames} /> : null}
      {error.reason ? <p class="muted">{REASONS[error.reason] ?? error.reason}</p> : retries ? <p class="muted">It is tried again.</p> : null}
    </section>
  );
}

/** Innermost first: that is where one looks. */
function Frames({ frames }: { frames: FrameView[] }) {
  return (
    <ol class="frames" aria-label="Where it was raised, innermost first">
      {frames.toReversed().map((frame, index) => (
        <li key={`${index}${frame.file}${frame.line}`}>
          <span class="place">
            {frame.file}:<b>{frame.line}</b>
          </span>{" "}
          <span class="muted">in {frame.function}</span>
          {sourceOf(frame) ? <pre class="source">{sourceOf(frame)}</pre> : null}
        </li>
      ))}
    </ol>
  );
}

/** The text of the frame's line, where the worker recorded it. */
function sourceOf(frame: FrameView): string {
  return frame.source ?? "";
}

function asText(error: ErrorView): string {
  const frames = (error.frames ?? []).map((frame) => `  ${frame.file}:${frame.line} in ${frame.function}`);
  return [...frames, `${error.code}: ${error.message}`].join("\n");
}
