// Counts by moment, stacked for a chart of bars.

export interface Counts {
  at: string;
  succeeded?: number;
  failed?: number;
  cancelled?: number;
  retrying?: number;
}

export const ORDER = ["failed", "retrying", "cancelled", "succeeded"] as const;
export type Series = (typeof ORDER)[number];

/** Seconds, and for each series of `ORDER` from the last to the first the top of its bar: the highest is drawn first. */
export function stacked(points: Counts[]): [number[], ...number[][]] {
  const times = points.map((point) => Date.parse(point.at) / 1000);
  const tops = ORDER.map((_, index) => points.map((point) => ORDER.slice(0, index + 1).reduce((sum, name) => sum + (point[name] ?? 0), 0)));
  return [times, ...tops.toReversed()];
}

export function inWords(points: Counts[]): string {
  const sum = (name: Series) => points.reduce((all, point) => all + (point[name] ?? 0), 0);
  return ORDER.toReversed()
    .map((name) => `${sum(name).toLocaleString("en")} ${name}`)
    .join(", ");
}
