// Which jobs a list shows: as the address has it after #, and as the API is asked for it.

export interface Criteria {
  status: string[];
  type: string[];
  owner: string;
  /** Each NAME=VALUE. */
  tag: string[];
  lane: string[];
  priority: string[];
  attempts: string;
  /** Moments, as the API writes them. */
  from: string;
  to: string;
  code: string;
  /** Whether the order is the other way round. */
  reverse: boolean;
  /** Whether the beginnings of payloads are shown. */
  payloads: boolean;
}

export type Query = Record<string, string>;

// A tag and a lane may have commas in them, and no line feeds.
const LINE = "\n";

export function criteriaOf(query: Query): Criteria {
  const several = (name: string, separator = ",") => (query[name] ?? "").split(separator).filter(Boolean);
  return {
    status: several("status"),
    type: several("type"),
    owner: query.owner ?? "",
    tag: several("tag", LINE),
    lane: several("lane", LINE),
    priority: several("priority"),
    attempts: query.attempts ?? "",
    from: query.from ?? "",
    to: query.to ?? "",
    code: query.code ?? "",
    reverse: query.reverse === "1",
    payloads: query.payloads === "1",
  };
}

export function queryOf(criteria: Criteria): Query {
  const { status, type, owner, tag, lane, priority, attempts, from, to, code } = criteria;
  const many = { status: status.join(","), type: type.join(","), tag: tag.join(LINE), lane: lane.join(LINE), priority: priority.join(",") };
  return { ...many, owner, attempts, from, to, code, reverse: criteria.reverse ? "1" : "", payloads: criteria.payloads ? "1" : "" };
}

/** The parameters of GET /v1/jobs. */
export function parametersOf(criteria: Criteria) {
  const { status, type, owner, tag, lane, priority, attempts, from, to, code } = criteria;
  return {
    ...(status.length ? { status: status as ["queued"] } : {}),
    ...(type.length ? { type } : {}),
    ...(owner ? { owner } : {}),
    ...(tag.length ? { tag } : {}),
    ...(lane.length ? { lane } : {}),
    ...(priority.length ? { priority: priority.map(Number) } : {}),
    ...(Number(attempts) > 0 ? { min_attempt: Number(attempts) } : {}),
    ...(from ? { created_from: from } : {}),
    ...(to ? { created_to: to } : {}),
    ...(code ? { error_code: code } : {}),
    ...(criteria.reverse ? { reverse: true } : {}),
    ...(criteria.payloads ? { include: "preview" } : {}),
  };
}

/** Without anything that says which jobs. */
export function cleared(criteria: Criteria): Criteria {
  const { owner, reverse, payloads } = criteria;
  return { ...criteriaOf({ owner }), reverse, payloads };
}

/** Whether something was chosen: without, nothing is changed of all jobs, so that it is not done by accident. */
export function isFiltered(criteria: Criteria): boolean {
  return JSON.stringify(cleared(criteria)) !== JSON.stringify(criteria);
}

/** The criteria of the rarer kinds that were given. */
export function rareOf({ lane, priority, attempts, from, to, code }: Criteria): number {
  return [lane.length, priority.length, attempts, from, to, code].filter(Boolean).length;
}
