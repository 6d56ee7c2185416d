// The list of jobs: filtered, live, with changes of many at once.

import { useEffect, useState } from "preact/hooks";
import type { JobPage, ListedJobView, UserView } from "../../generated/schema.ts";
import { call } from "../api/client.ts";
import { noteJobs } from "../live/known.ts";
import { usePages } from "../live/use_pages.ts";
import { useSteady } from "../live/use_steady.ts";
import { refine } from "../live/use_route.ts";
import { Button } from "../parts/basics.tsx";
import { More, Panel, Screen } from "../parts/frame.tsx";
import { Empty, Shown } from "../parts/states.tsx";
import { count, type BulkAction } from "../pure/bulk.ts";
import { criteriaOf, isFiltered, parametersOf, queryOf, type Criteria } from "../pure/criteria.ts";
import { pressed, sortedBy, type Sorting } from "../pure/sorting.ts";
import { BulkDialog } from "./bulk.tsx";
import { Filters, ordersOf } from "./job_filters.tsx";
import { JobTable } from "./job_table.tsx";

const EVERY = 2000;
const MOST_AT_ONCE = 500;
const MOST_EMPTY = 5;
function reading(criteria: Criteria) {
  return (cursor: string | undefined, signal?: AbortSignal, limit = 50): Promise<JobPage> =>
    filled((at) => call("GET /v1/jobs", { query: { ...parametersOf(criteria), ...(at ? { cursor: at } : {}), limit }, signal }), cursor);
}

/** A page may be empty and still have a next: where few of many match, some pages are read for one. */
export async function filled(read: (cursor: string | undefined) => Promise<JobPage>, cursor: string | undefined): Promise<JobPage> {
  let page = await read(cursor);
  for (let more = MOST_EMPTY; more && !page.items.length && page.next; more--) page = await read(page.next);
  return page;
}

/** All jobs that match, up to a limit. */
async function matching(criteria: Criteria): Promise<{ jobs: ListedJobView[]; capped: boolean }> {
  const read = reading({ ...criteria, payloads: false });
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
  const criteria = { ...criteriaOf(query), ...(isAdmin ? {} : { owner: "" }) };
  const set = (change: Partial<Criteria>) => refine(["jobs"], queryOf({ ...criteria, ...change }));
  const ofAType = criteria.owner === "*" && criteria.status.includes("failed");
  return (
    <Screen title="Jobs" sub={sub(criteria)}>
      <Filters criteria={criteria} isAdmin={isAdmin} set={set} />
      {ofAType && criteria.type.length !== 1 ? (
        <Panel>
          <Empty title="Of which type?">Everyone's failed jobs are listed by one type. Choose it above, or start from the failures in Overview.</Empty>
        </Panel>
      ) : (
        <List key={JSON.stringify(criteria)} criteria={criteria} />
      )}
    </Screen>
  );
}

function sub(criteria: Criteria): string {
  const order = ordersOf(criteria)[criteria.reverse ? 1 : 0].toLowerCase();
  if (criteria.owner !== "*") return `${criteria.owner ? "Of one user" : "Yours"}, ${order}`;
  return `Everyone's${criteria.status.includes("failed") ? "" : " unfinished"}, ${order}`;
}

function List({ criteria }: { criteria: Criteria }) {
  const key = `jobs ${JSON.stringify(criteria)}`;
  const pages = usePages(key, reading(criteria), (job) => job.id, EVERY);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [sorting, setSorting] = useState<Sorting | undefined>();
  useEffect(() => noteJobs(pages.items ?? []), [pages.items?.length]);
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
            <span class="muted">{pages.items ? shownCount(pages.items.length, Boolean(pages.more), sorting) : "Reading…"}</span>
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
              <JobTable jobs={sortedBy(jobs, sorting, Date.now())} sorting={sorting} onSort={(by) => setSorting(pressed(sorting, by))} selected={selected} onSelect={setSelected} />
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

function shownCount(number: number, more: boolean, sorting: Sorting | undefined): string {
  const order = sorting ? `, sorted by ${sorting.by}` : "";
  return more ? `${number} shown${order}, and there are more` : `${count(number, "job")}${order}`;
}
