// Jobs as lines of a table; what does not fit a narrow screen moves below the type.

import type { ComponentChildren } from "preact";
import type { ListedJobView } from "../../generated/schema.ts";
import { Id, Moment, Status } from "../parts/basics.tsx";
import { useNow } from "../live/use_now.ts";
import { lasting } from "../pure/job.ts";
import { bytes } from "../pure/json.ts";
import { href } from "../pure/route.ts";
import type { Column, Sorting } from "../pure/sorting.ts";
import { duration } from "../pure/time.ts";

interface Props {
  jobs: ListedJobView[];
  selected?: ReadonlySet<string>;
  onSelect?: (selected: ReadonlySet<string>) => void;
  sorting?: Sorting | undefined;
  onSort?: (by: Column) => void;
  /** What else can be done with a job. */
  extra?: (job: ListedJobView) => ComponentChildren;
}

export function JobTable({ jobs, selected, onSelect, sorting, onSort, extra }: Props) {
  const head = { sorting, onSort };
  const all = jobs.length > 0 && jobs.every((job) => selected?.has(job.id));
  const toggle = (id: string) => {
    const next = new Set(selected);
    if (!next.delete(id)) next.add(id);
    onSelect?.(next);
  };
  return (
    <table class="list jobs">
      <thead>
        <tr>
          {onSelect ? (
            <th class="check">
              <input type="checkbox" aria-label="Select all shown" checked={all} onChange={() => onSelect(new Set(all ? [] : jobs.map((job) => job.id)))} />
            </th>
          ) : null}
          <Head {...head} by="type" name="Job" width="col-main" />
          <Head {...head} by="status" name="Status" width="col-status" />
          <th class="col-detail wide">What happened</th>
          <Head {...head} by="attempt" name="Attempt" width="col-number wide" />
          <Head {...head} by="created" name="Created" width="col-time wide" />
          <Head {...head} by="took" name="Took" width="col-number col-took wide" />
          {extra ? <th class="col-number">Change</th> : null}
        </tr>
      </thead>
      <tbody>
        {jobs.map((job) => (
          <Line key={job.id} job={job} selected={selected?.has(job.id) ?? false} extra={extra?.(job)} {...(onSelect ? { onToggle: () => toggle(job.id) } : {})} />
        ))}
      </tbody>
    </table>
  );
}

/** A column's head; where lines can be sorted, a button that says in which order they are. */
function Head({ by, name, width, sorting, onSort }: { by: Column; name: string; width: string; sorting: Sorting | undefined; onSort: ((by: Column) => void) | undefined }) {
  if (!onSort) return <th class={width}>{name}</th>;
  const down = sorting?.by === by ? sorting.down : undefined;
  return (
    <th class={width} aria-sort={down === undefined ? "none" : down ? "descending" : "ascending"}>
      <button type="button" class="sort" title="Sorts what is shown" onClick={() => onSort(by)}>
        {name}
        <span aria-hidden="true">{down === undefined ? "" : down ? " ↓" : " ↑"}</span>
      </button>
    </th>
  );
}

function Line({ job, selected, extra, onToggle }: { job: ListedJobView; selected: boolean; extra: ComponentChildren; onToggle?: () => void }) {
  return (
    <tr class={selected ? "selected" : ""}>
      {onToggle ? (
        <td class="check">
          <input type="checkbox" aria-label={`Select ${job.type} ${job.id.slice(0, 8)}`} checked={selected} onChange={onToggle} />
        </td>
      ) : null}
      <td class="col-main">
        <div class="line">
          <a data-line class="name strong" href={href(["jobs", job.id])} title={job.type}>
            {job.type}
          </a>
          <Id id={job.id} short />
        </div>
        <div class="narrow small">
          <span class="muted">
            created <Moment at={job.created_at} />
          </span>
          <Detail job={job} />
          <Preview job={job} />
        </div>
      </td>
      <td class="col-status">
        <Status status={job.status} asked={job.cancel_requested} />
      </td>
      <td class="col-detail wide">
        <Detail job={job} />
        <Preview job={job} />
      </td>
      <td class="col-number wide">
        {job.attempt}
        <span class="muted">/{job.max_attempts}</span>
      </td>
      <td class="col-time wide">
        <Moment at={job.created_at} />
      </td>
      <td class="col-number col-took wide">
        <Took job={job} />
      </td>
      {extra ? <td class="col-number">{extra}</td> : null}
    </tr>
  );
}

/** How the payload begins, where the list was asked for it. */
function Preview({ job }: { job: ListedJobView }) {
  if (job.payload_preview === undefined) return null;
  const text = job.payload_preview ?? (job.payload_ref ? `${bytes(job.payload_ref.size)}, too large to be shown here` : "");
  return (
    <code class="cut payload" title={text}>
      {text}
    </code>
  );
}

function Took({ job }: { job: ListedJobView }) {
  const now = useNow(job.finished_at ? 3_600_000 : 1000);
  const { what, milliseconds } = lasting(job, now);
  return <span class={what === "ran" ? "" : "muted"} title={what}>{duration(milliseconds)}</span>;
}

/** The most telling thing about the job, on one line. */
export function Detail({ job }: { job: ListedJobView }) {
  if (job.error && job.status !== "succeeded") {
    return (
      <span class="cut" title={`${job.error.code}: ${job.error.message.slice(0, 500)}`}>
        <span class="code">{job.error.code}</span> {job.error.message.slice(0, 300)}
        {job.status === "retrying" && job.run_at ? (
          <span class="muted">
            , due <Moment at={job.run_at} />
          </span>
        ) : null}
      </span>
    );
  }
  if (job.status === "running" && job.progress) return <ProgressLine fraction={job.progress.fraction} message={job.progress.message} />;
  if (job.run_at && (job.status === "scheduled" || job.status === "retrying")) {
    return (
      <span class="muted cut">
        due <Moment at={job.run_at} />
      </span>
    );
  }
  if (job.status === "blocked" && job.lane) return <span class="muted cut">waits for lane {job.lane}</span>;
  const awaited = job.waiting_for ?? [];
  if (job.status === "waiting" && awaited.length) return <span class="muted cut">waits for {awaited.map((each) => each.name).join(", ")}</span>;
  const tags = Object.entries(job.tags);
  if (!tags.length && job.parent) {
    return (
      <span class="muted cut">
        {job.parent.group}, place {job.parent.place}
      </span>
    );
  }
  return (
    <span class="muted cut">
      {tags.slice(0, 3).map(([name, value]) => `${name}: ${value}`).join(" · ")}
    </span>
  );
}

export function ProgressLine({ fraction, message }: { fraction: number; message: string }) {
  return (
    <span class="progress-line">
      <progress max={1} value={fraction} aria-label="Progress" />
      <span class="cut muted" title={message}>
        {Math.round(fraction * 100)} % {message}
      </span>
    </span>
  );
}

