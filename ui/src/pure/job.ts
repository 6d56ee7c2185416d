// What a line about a job says.

import type { JobView, ListedJobView } from "../../generated/schema.ts";
import { FINAL } from "./timeline.ts";

type Listed = Omit<ListedJobView, "payload" | "result">;

/** How long the job has run, or has waited, and which of both. */
export function lasting(job: Listed, now: number): { what: "ran" | "running" | "waiting"; milliseconds: number } {
  const started = job.started_at ? Date.parse(job.started_at) : null;
  if (started !== null && job.finished_at) return { what: "ran", milliseconds: Date.parse(job.finished_at) - started };
  if (started !== null && job.status === "running") return { what: "running", milliseconds: now - started };
  const end = job.finished_at ? Date.parse(job.finished_at) : now;
  return { what: "waiting", milliseconds: end - Date.parse(job.created_at) };
}

export function isFinal(job: { status: string }): boolean {
  return FINAL.has(job.status);
}

/** Whether it can be a job's id, and so is no name of a type. */
export function isId(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}

/** How a job will look when the action has been accepted; its answer replaces this. */
export function expected(job: JobView, action: "retry" | "cancel"): JobView {
  const links = { self: job.links.self ?? "" };
  if (action === "retry") return { ...job, status: "queued", attempt: 0, error: null, finished_at: null, links };
  return job.status === "running" ? { ...job, cancel_requested: true, links } : { ...job, status: "cancelled", links };
}
