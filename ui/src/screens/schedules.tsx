// Schedules: jobs by cron expression or at an interval.

import { useState } from "preact/hooks";
import type { ListedScheduleView, UserView } from "../../generated/schema.ts";
import { call } from "../api/client.ts";
import { attempt } from "../live/notices.ts";
import { usePages } from "../live/use_pages.ts";
import { go, refine } from "../live/use_route.ts";
import { Button, Id, Moment, Status } from "../parts/basics.tsx";
import { Choice, Confirm, More, Panel, Screen } from "../parts/frame.tsx";
import { Empty, Shown } from "../parts/states.tsx";
import { href } from "../pure/route.ts";
import { clock, duration } from "../pure/time.ts";
import { ScheduleForm } from "./schedule_form.tsx";

const EVERY = 10_000;

export function SchedulesScreen({ me, query }: { me: UserView; query: Record<string, string> }) {
  const owner = me.role === "admin" ? (query.owner ?? "") : "";
  const pages = usePages(
    `schedules ${owner}`,
    (cursor, signal) => call("GET /v1/schedules", { query: { limit: 50, ...(cursor ? { cursor } : {}), ...(owner ? { owner } : {}) }, signal }),
    (schedule) => schedule.id,
    EVERY,
  );
  const [creating, setCreating] = useState(false);
  const [removing, setRemoving] = useState<ListedScheduleView | undefined>();
  const remove = async (schedule: ListedScheduleView) => {
    setRemoving(undefined);
    await attempt(() => call("DELETE /v1/schedules/{schedule_id}", { path: { schedule_id: schedule.id } }), `${schedule.name} is deleted.`);
    pages.refresh();
  };
  return (
    <Screen
      title="Schedules"
      sub={owner ? <>Of {owner.slice(0, 8)}</> : "Yours"}
      actions={
        <Button kind="primary" onClick={() => setCreating(true)}>
          New schedule
        </Button>
      }
    >
      {owner ? (
        <div class="filters">
          <Choice label="Whose schedules" value={owner} options={[["", "Mine"], [owner, `${owner.slice(0, 8)}…`]]} onChange={(next) => refine(["schedules"], { owner: next })} />
        </div>
      ) : null}
      <Panel flush>
        <Shown live={pages}>
          {(schedules) =>
            schedules.length ? (
              <table class="list">
                <thead>
                  <tr>
                    <th>Schedule</th>
                    <th class="col-short wide">When</th>
                    <th class="col-short">Next</th>
                    <th class="col-short wide">Last job</th>
                    <th class="col-actions wide">Change</th>
                  </tr>
                </thead>
                <tbody>
                  {schedules.map((schedule) => (
                    <Line key={schedule.id} schedule={schedule} pages={pages} onRemove={() => setRemoving(schedule)} />
                  ))}
                </tbody>
              </table>
            ) : (
              <Empty title="No schedules">
                <p>A schedule submits a job each night, each minute, or whenever you say.</p>
              </Empty>
            )
          }
        </Shown>
      </Panel>
      <More pages={pages} noun="schedules" />
      {creating ? <ScheduleForm onClose={() => setCreating(false)} onDone={pages.refresh} /> : null}
      {removing ? (
        <Confirm title="Delete this schedule?" verb="Delete it" danger onClose={() => setRemoving(undefined)} onConfirm={() => void remove(removing)}>
          <p class="title-name">{removing.name}</p>
          <p class="muted">Jobs that it has submitted stay.</p>
        </Confirm>
      ) : null}
    </Screen>
  );
}

type SchedulePages = { refresh: () => void; replace: (change: (page: { items: ListedScheduleView[]; next?: string | null }) => { items: ListedScheduleView[]; next?: string | null }) => void };

function Line({ schedule, pages, onRemove }: { schedule: ListedScheduleView; pages: SchedulePages; onRemove: () => void }) {
  const path = { schedule_id: schedule.id };
  const show = (paused: boolean) => pages.replace((page) => ({ ...page, items: page.items.map((each) => (each.id === schedule.id ? { ...each, paused, next: paused ? [] : each.next } : each)) }));
  const toggle = () => {
    const paused = !schedule.paused;
    show(paused);
    const send = () => (paused ? call("POST /v1/schedules/{schedule_id}/pause", { path }) : call("POST /v1/schedules/{schedule_id}/resume", { path }));
    void attempt(send, `${schedule.name} is ${paused ? "paused" : "resumed"}.`, () => show(!paused)).then(pages.refresh);
  };
  const run = async () => {
    const job = await attempt(() => call("POST /v1/schedules/{schedule_id}/run", { path }), "Submitted.");
    if (job) go(["jobs", job.id]);
  };
  const buttons = (
    <div class="actions">
      <Button onClick={() => void run()} label={`Run now: ${schedule.name}`}>
        Run now
      </Button>
      <Button onClick={toggle} label={`${schedule.paused ? "Resume" : "Pause"} ${schedule.name}`}>
        {schedule.paused ? "Resume" : "Pause"}
      </Button>
      <Button kind="danger" onClick={onRemove} label={`Delete ${schedule.name}`}>
        Delete
      </Button>
    </div>
  );
  return (
    <tr>
      <td>
        <span class="name strong" title={schedule.name}>
          {schedule.name}
        </span>
        <a class="name small" href={href(["types", schedule.type])} title={schedule.type}>
          {schedule.type}
        </a>
        {schedule.problem ? <span class="flaw">{schedule.problem.message}</span> : null}
        <span class="narrow">
          <When schedule={schedule} />
          {buttons}
        </span>
      </td>
      <td class="col-short wide">
        <When schedule={schedule} />
      </td>
      <td class="col-short">
        {schedule.paused ? (
          <Status status="paused" />
        ) : (
          <span title={schedule.next.map((at) => clock(Date.parse(at), Date.now())).join("\n")}>
            <Moment at={schedule.next[0]} />
          </span>
        )}
      </td>
      <td class="col-short wide">{schedule.last ? <Id id={schedule.last.job_id} short link={href(["jobs", schedule.last.job_id])} /> : <span class="muted">none yet</span>}</td>
      <td class="col-actions wide">{buttons}</td>
    </tr>
  );
}

function When({ schedule }: { schedule: ListedScheduleView }) {
  if (schedule.every_seconds) return <span>every {duration(schedule.every_seconds * 1000)}</span>;
  return (
    <>
      <code>{schedule.cron}</code> <span class="muted small cut">{schedule.timezone}</span>
    </>
  );
}
