// What a screen shows when it has nothing yet, nothing at all, or no answer.

import type { ComponentChildren } from "preact";
import { Problem, Unreachable } from "../api/client.ts";
import { Button } from "./basics.tsx";

export function Loading({ rows = 6 }: { rows?: number }) {
  return (
    <div class="loading" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, index) => (
        <div class="bone" key={index} />
      ))}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children ? <div class="muted">{children}</div> : null}
    </div>
  );
}

/** Why there is no data; `retry` asks again. */
export function Failure({ error, retry }: { error: Error; retry?: () => void }) {
  const [title, text] = words(error);
  return (
    <div class="empty failure" role="alert">
      <p class="empty-title">{title}</p>
      <p class="muted">{text}</p>
      {retry ? <Button onClick={retry}>Try again</Button> : null}
    </div>
  );
}

function words(error: Error): [string, string] {
  if (error instanceof Unreachable) return ["No connection", navigator.onLine ? "Headrace does not answer. It is asked again in a moment." : "This computer is offline."];
  if (!(error instanceof Problem)) return ["This did not work", error.message];
  if (error.status === 403) return ["You may not see this", error.message];
  if (error.status === 404) return ["Not found", error.message || "It is not there, or no longer."];
  if (error.status >= 500) return ["Headrace has a problem", error.message];
  return ["This was refused", error.message];
}

/** A bar above what was read earlier, when it cannot be read again. */
export function Stale({ error, at }: { error: Error | undefined; at: number }) {
  if (!error || !at) return null;
  const since = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(at);
  return (
    <p class="stale" role="status">
      {error instanceof Unreachable ? "No connection." : error.message} This is what was there at {since}.
    </p>
  );
}

interface ShownProps<T> {
  live: { data?: T | undefined; items?: T | undefined; error: Error | undefined; at: number; refresh: () => void };
  rows?: number;
  children: (data: T) => ComponentChildren;
}

/** The data, or the state in place of it. */
export function Shown<T>({ live, rows = 6, children }: ShownProps<T>) {
  const data = live.data ?? live.items;
  if (data === undefined) return live.error ? <Failure error={live.error} retry={live.refresh} /> : <Loading rows={rows} />;
  return (
    <>
      <Stale error={live.error} at={live.at} />
      {children(data)}
    </>
  );
}
