// The order of the lines that are shown; the list itself keeps the order in which it is read.

import { lasting } from "./job.ts";

export type Column = "type" | "status" | "attempt" | "created" | "took";
export interface Sorting {
  by: Column;
  down: boolean;
}
type Sortable = Parameters<typeof lasting>[0] & { type: string; status: string; attempt: number; created_at: string };

/** A column's next order when its head is pressed: up, down, as listed. */
export function pressed(sorting: Sorting | undefined, by: Column): Sorting | undefined {
  if (sorting?.by !== by) return { by, down: false };
  return sorting.down ? undefined : { by, down: true };
}

export function sortedBy<T extends Sortable>(jobs: T[], sorting: Sorting | undefined, now: number): T[] {
  if (!sorting) return jobs;
  const values = new Map(jobs.map((job) => [job, valueOf(job, sorting.by, now)]));
  const up = (one: T, other: T) => compare(values.get(one) ?? "", values.get(other) ?? "");
  return jobs.toSorted((one, other) => (sorting.down ? up(other, one) : up(one, other)));
}

function valueOf(job: Sortable, by: Column, now: number): string | number {
  if (by === "took") return lasting(job, now).milliseconds;
  if (by === "attempt") return job.attempt;
  return by === "created" ? job.created_at : by === "type" ? job.type : job.status;
}

function compare(one: string | number, other: string | number): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
