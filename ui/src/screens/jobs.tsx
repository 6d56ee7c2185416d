// The list of jobs: filtered, live, with changes of many at once.

import { useEffect, useState } from "preact/hooks";
import type { JobPage, ListedJobView, UserView } from "../../generated/schema.ts";
import { call } from "../api/client.ts";
import { useLive } from "../live/use_live.ts";
import { usePages } from "../live/use_pages.ts";
import { useSteady } from "../live/use_steady.ts";
import { go, refine } from "../live/use_route.ts";
import { Button } from "../parts/basics.tsx";
import { Choice, More, Panel, Screen } from "../parts/frame.tsx";
import { Empty, Shown } from "../parts/states.tsx";
import { count, type BulkAction } from "../pure/bulk.ts";
import { isId } from "../pure/job.ts";
import { BulkDialog } from "./bulk.tsx";
import { JobTable } from "./job_table.tsx";

const EVERY = 2000;
const MOST_AT_ONCE = 500;
const MOST_EMPTY = 5;
const STATUSES = ["scheduled", "blocked", "queued", "running", "waiting", "retrying", "failed", "succeeded", "cancelled"] as const;
const OF_EVERYONE: readonly string[] = ["scheduled", "blocked", "queued", "running", "waiting", "retrying", "failed"];
type Status = (typeof STATUSES)[number];

interface Criteria {
  status: string;
  type: string;
  owner: string;
  /** NAME=VALUE */
  tag: string;
}

function reading({ status, type, owner, tag }: Criteria) {
  const wanted = { ...(status ? { status: status as Status } : {}), ...(type ? { type } : {}), ...(owner ? { owner } : {}), ...(tag ? { tag } : {}) };
  return (cursor: string | undefined, signal?: AbortSignal, limit = 50): Promise<JobPage> =>
    filled((at) => call("GET /v1/jobs", { query: { ...wanted, ...(at ? { cursor: at } : {}), limit }, signal }), cursor);
}

/** A page may be empty and still have a next: where few of many match, some pages are read for one. */
async function filled(read: (cursor: string | undefined) => Promise<JobPage>, cursor: string | undefined): Promise<JobPage> {
  let page = await read(cursor);
  for (let more = MOST_EMPTY; more && !page.items.length && page.next; more--) page = await read(page.next);
  return page;
}

/** All jobs that match, up to a limit. */
async function matching(criteria: Criteria): Promise<{ jobs: ListedJobView[]; capped: boolean }> {
  const read = reading(criteria);
  let jobs: ListedJobView[] = [];
  let cursor: string | undefined;
  do {
    const page = await read(cursor, undefined, 100);
    jobs = [...jobs, ...page.items];
    cursor = page.next ?? undefined;
  } while (cursor && jobs.length < MOST_AT_ONCE);
  return { jobs: jobs.slice(0, MOST_AT_ONCE), capped: Boolean(cursor) || jobs.length > MOST_AT_ONCE };
}

export function JobsScreen({ me, query }: { me: UserView; query: Record<string, string> }) {
  const isAdmin = me.role === "admin";
  const criteria = { status: query.status ?? "", type: query.type ?? "", tag: query.tag ?? "", owner: isAdmin ? (query.owner ?? "") : "" };
  const set = (change: Partial<Criteria>) => refine(["jobs"], { ...criteria, ...change });
  const needsType = criteria.owner === "*" && criteria.status === "failed" && !criteria.type;
  return (
    <Screen title="Jobs" sub={sub(criteria)}>
      <Filters criteria={criteria} isAdmin={isAdmin} set={set} />
      {needsType ? (
        <Panel>
          <Empty title="Of which type?">Everyone's failed jobs are listed by type. Choose one above, or start from the failures in Overview.</Empty>
        </Panel>
      ) : (
        <List key={JSON.stringify(criteria)} criteria={criteria} />
      )}
    </Screen>
  );
}

function sub({ status, owner }: Criteria): string {
  if (owner !== "*") return owner ? "Of one user, newest first" : "Yours, newest first";
  return status === "failed" ? "Everyone's, latest failure first" : "Everyone's unfinished, next due first";
}

function Filters({ criteria, isAdmin, set }: { criteria: Criteria; isAdmin: boolean; set: (change: Partial<Criteria>) => void }) {
  const types = useLive("types", (signal) => call("GET /v1/job-types", { signal }));
  const [type, setType] = useState(criteria.type);
  useEffect(() => setType(criteria.type), [criteria.type]);
  const everyone = criteria.owner === "*";
  const statuses = everyone ? STATUSES.filter((each) => OF_EVERYONE.includes(each)) : STATUSES;
  const find = (text: string) => (isId(text) ? go(["jobs", text.toLowerCase()]) : set({ type: text }));
  const toEveryone = (owner: string) => set({ owner, status: owner === "*" && !OF_EVERYONE.includes(criteria.status) ? "" : criteria.status });
  return (
    <form
      class="filters"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        find(type.trim());
      }}
    >
      {isAdmin ? (
        <Choice
          label="Whose jobs"
          value={everyone ? "*" : criteria.owner === "" ? "" : criteria.owner}
          options={[["", "Mine"], ["*", "Everyone's"], ...(criteria.owner && !everyone ? [[criteria.owner, `${criteria.owner.slice(0, 8)}…`] as const] : [])]}
          onChange={toEveryone}
        />
      ) : null}
      <label class="inline">
        <span>Status</span>
        <select value={criteria.status} onChange={(event) => set({ status: event.currentTarget.value })}>
          <option value="">{everyone ? "unfinished" : "any"}</option>
          {statuses.map((each) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </select>
      </label>
      <label class="inline grow">
        <span>Type or id</span>
        <input
          data-filter
          list="types"
          placeholder="any"
          value={type}
          maxLength={64}
          spellcheck={false}
          autocomplete="off"
          onInput={(event) => setType(event.currentTarget.value)}
          onChange={(event) => find(event.currentTarget.value.trim())}
        />
        <datalist id="types">
          {types.data?.items.map((each) => (
            <option key={each.name} value={each.name} />
          ))}
        </datalist>
      </label>
      <TagFilter tag={criteria.tag} onChange={(tag) => set({ tag })} />
      {isFiltered(criteria) ? <Button onClick={() => set({ status: "", type: "", tag: "" })}>Clear</Button> : null}
    </form>
  );
}

/** Whether something was chosen: without, nothing is changed of all jobs, so that it is not done by accident. */
function isFiltered({ status, type, tag }: Criteria): boolean {
  return Boolean(status || type || tag);
}

function TagFilter({ tag, onChange }: { tag: string; onChange: (tag: string) => void }) {
  const [text, setText] = useState(tag);
  useEffect(() => setText(tag), [tag]);
  const wrong = text !== "" && !/^[^=]+=/.test(text);
  return (
    <label class="inline grow">
      <span>Tag</span>
      <input
        placeholder="name=value"
        value={text}
        spellcheck={false}
        autocomplete="off"
        aria-invalid={wrong}
        onInput={(event) => setText(event.currentTarget.value)}
        onChange={(event) => (wrong ? undefined : onChange(event.currentTarget.value))}
      />
    </label>
  );
}

function List({ criteria }: { criteria: Criteria }) {
  const key = `jobs ${JSON.stringify(criteria)}`;
  const pages = usePages(key, reading(criteria), (job) => job.id, EVERY);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [bulk, setBulk] = useState<{ action: BulkAction; all: boolean } | undefined>();
  const { shown, newer, show } = useSteady(pages.items, (job) => job.id, selected.size > 0);
  const chosen = (pages.items ?? []).filter((job) => selected.has(job.id));
  const close = () => {
    setBulk(undefined);
    setSelected(new Set());
    pages.refresh();
  };
  return (
    <>
      <div class="bulk" aria-live="polite">
        {chosen.length ? (
          <>
            <span>{count(chosen.length, "job")} selected</span>
            <Button onClick={() => setBulk({ action: "retry", all: false })}>Retry…</Button>
            <Button onClick={() => setBulk({ action: "cancel", all: false })}>Cancel…</Button>
            <button type="button" class="textual" onClick={() => setSelected(new Set())}>
              Clear selection
            </button>
          </>
        ) : (
          <>
            <span class="muted">{pages.items ? shownCount(pages.items.length, Boolean(pages.more)) : "Reading…"}</span>
            {isFiltered(criteria) && pages.items?.length ? (
              <>
                <button type="button" class="textual" onClick={() => setBulk({ action: "retry", all: true })}>
                  Retry all…
                </button>
                <button type="button" class="textual" onClick={() => setBulk({ action: "cancel", all: true })}>
                  Cancel all…
                </button>
              </>
            ) : null}
          </>
        )}
      </div>
      {newer ? (
        <button type="button" class="newer" onClick={show}>
          Show {count(newer, "newer job")}
        </button>
      ) : null}
      <Panel flush>
        <Shown live={{ ...pages, items: shown }} rows={10}>
          {(jobs) =>
            jobs.length ? (
              <JobTable jobs={jobs} selected={selected} onSelect={setSelected} />
            ) : (
              <Empty title="No jobs here">
                {isFiltered(criteria) ? "None matches this filter." : <>Submit one from <a href="#/types">Types</a>, or with <code>headrace submit</code>.</>}
              </Empty>
            )
          }
        </Shown>
      </Panel>
      <More pages={pages} noun="jobs" />
      {bulk ? (
        <BulkDialog action={bulk.action} find={() => (bulk.all ? matching(criteria) : Promise.resolve({ jobs: chosen, capped: false }))} onClose={close} />
      ) : null}
    </>
  );
}

function shownCount(number: number, more: boolean): string {
  return more ? `${number} shown, and there are more` : count(number, "job");
}
