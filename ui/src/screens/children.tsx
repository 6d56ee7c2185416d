// A job's children: how far each of its groups is, and the jobs themselves; of a child, whose it is.

import { useState } from "preact/hooks";
import type { GroupView, JobView, ParentView } from "../../generated/schema.ts";
import { call } from "../api/client.ts";
import { usePages } from "../live/use_pages.ts";
import { Button, Id, Name } from "../parts/basics.tsx";
import { More, Panel } from "../parts/frame.tsx";
import { Shown } from "../parts/states.tsx";
import { count } from "../pure/bulk.ts";
import { isFinal } from "../pure/job.ts";
import { href } from "../pure/route.ts";
import { JobTable } from "./job_table.tsx";
import { filled } from "./jobs.tsx";

const EVERY = 3000;
const ON_A_PAGE = 20;
const STATUSES = ["queued", "running", "waiting", "retrying", "succeeded", "failed", "cancelled"] as const;
type Status = (typeof STATUSES)[number] | "";

/** Whose child it is, as a link. */
export function ParentLink({ parent }: { parent: ParentView }) {
  return (
    <span>
      <Id id={parent.job_id} short link={href(["jobs", parent.job_id])} />{" "}
      <span class="muted">
        {parent.group}, place {parent.place}
      </span>
    </span>
  );
}

export function Children({ job }: { job: JobView }) {
  const groups = job.children ?? [];
  const [listed, setListed] = useState(false);
  if (!groups.length) return null;
  const whole = groups.reduce((sum, group) => sum + group.begun, 0);
  return (
    <Panel title="Children">
      <table class="list">
        <thead>
          <tr>
            <th>Group</th>
            <th>Ended</th>
            <th class="col-number">Failed</th>
          </tr>
        </thead>
        <tbody>
          {groups.map((group) => (
            <Group key={group.name} group={group} />
          ))}
        </tbody>
      </table>
      {listed ? <List job={job} groups={groups} /> : <Button onClick={() => setListed(true)}>List {whole === 1 ? "it" : `the ${count(whole, "job")}`}</Button>}
    </Panel>
  );
}

function Group({ group }: { group: GroupView }) {
  return (
    <tr>
      <td>
        <Name text={group.name} />
        <span class="cut muted small">{group.type}</span>
      </td>
      <td>
        <span class="progress-line">
          <progress max={Math.max(1, group.size)} value={group.ended} aria-label={`Ended of ${group.name}`} />
          <span class="cut muted">
            {group.ended} of {group.size}
          </span>
        </span>
      </td>
      <td class="col-number">{group.failed ? <span class="status-failed">{group.failed}</span> : 0}</td>
    </tr>
  );
}

function List({ job, groups }: { job: JobView; groups: GroupView[] }) {
  const [group, setGroup] = useState("");
  const [status, setStatus] = useState<Status>("");
  const query = { limit: ON_A_PAGE, ...(group ? { group } : {}), ...(status ? { status } : {}) };
  const pages = usePages(
    `children ${job.id} ${group} ${status}`,
    (cursor, signal) => filled((at) => call("GET /v1/jobs/{job_id}/children", { path: { job_id: job.id }, query: { ...query, ...(at ? { cursor: at } : {}) }, signal }), cursor),
    (child) => child.id,
    isFinal(job) ? 0 : EVERY,
  );
  return (
    <>
      <div class="filters">
        {groups.length > 1 ? (
          <label class="inline">
            <span>Group</span>
            <select value={group} onChange={(event) => setGroup(event.currentTarget.value)}>
              <option value="">all</option>
              {groups.map(({ name }) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        ) : null}
        <label class="inline">
          <span>Status</span>
          <select value={status} onChange={(event) => setStatus(event.currentTarget.value as Status)}>
            <option value="">any</option>
            {STATUSES.map((each) => (
              <option key={each} value={each}>
                {each}
              </option>
            ))}
          </select>
        </label>
      </div>
      <Shown live={pages} rows={5}>
        {(children) => (children.length ? <JobTable jobs={children} /> : <p class="muted">None is {status}.</p>)}
      </Shown>
      <More pages={pages} noun="children" />
    </>
  );
}
