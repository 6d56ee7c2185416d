// Changes of many jobs: what would happen, and carrying it out some at a time.

export type BulkAction = "retry" | "cancel";

export interface Changeable {
  id: string;
  type: string;
  links: Record<string, string>;
}

export interface Plan<T> {
  /** Those that the action is possible for. */
  eligible: T[];
  others: number;
  /** How many of each type, the most first. */
  byType: [string, number][];
}

export function planOf<T extends Changeable>(jobs: T[], action: BulkAction): Plan<T> {
  const eligible = jobs.filter((job) => action in job.links);
  const counts = new Map<string, number>();
  for (const job of eligible) counts.set(job.type, (counts.get(job.type) ?? 0) + 1);
  const byType = [...counts].sort((one, other) => other[1] - one[1]);
  return { eligible, others: jobs.length - eligible.length, byType };
}

/** Act on each item, `atOnce` at a time; `onEach` hears of every end. */
export async function inTurns<T>(items: T[], atOnce: number, act: (item: T) => Promise<unknown>, onEach: (failed: Error | null) => void): Promise<void> {
  const waiting = [...items];
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      try {
        await act(item);
        onEach(null);
      } catch (error) {
        onEach(error instanceof Error ? error : new Error(String(error)));
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

export function count(number: number, noun: string): string {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}
