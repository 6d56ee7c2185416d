// What jobs that were listed have: offered where a filter is typed. It stays on this page, and is bounded.

const MOST = 200;

interface Listed {
  type: string;
  tags: Record<string, string>;
  lane: string | null;
  error: { code: string } | null;
}

const known = { types: new Set<string>(), tags: new Set<string>(), lanes: new Set<string>(), codes: new Set<string>() };
type Kind = keyof typeof known;

export function noteJobs(jobs: readonly Listed[]): void {
  for (const job of jobs) {
    add("types", job.type);
    for (const [name, value] of Object.entries(job.tags)) add("tags", `${name}=${value}`);
    if (job.lane) add("lanes", job.lane);
    if (job.error) add("codes", job.error.code);
  }
}

/** Those of a kind that are known, with `more`, in their order. */
export function knownOf(kind: Kind, more: readonly string[] = []): string[] {
  return [...new Set([...more, ...known[kind]])].sort();
}

export function forgetKnown(): void {
  for (const each of Object.values(known)) each.clear();
}

function add(kind: Kind, value: string): void {
  if (known[kind].size < MOST) known[kind].add(value);
}
