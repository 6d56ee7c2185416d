// What a list of jobs is narrowed by: several values of each kind, completed while they are typed.

import { useEffect, useState } from "preact/hooks";
import { call } from "../api/client.ts";
import { knownOf } from "../live/known.ts";
import { useLive } from "../live/use_live.ts";
import { go } from "../live/use_route.ts";
import { Button } from "../parts/basics.tsx";
import { Choice } from "../parts/frame.tsx";
import { Tokens } from "../parts/tokens.tsx";
import { cleared, isFiltered, rareOf, type Criteria } from "../pure/criteria.ts";
import { isId } from "../pure/job.ts";
import { localOf, momentOf } from "../pure/time.ts";

const STATUSES = ["scheduled", "blocked", "queued", "running", "waiting", "retrying", "failed", "succeeded", "cancelled"];
const OF_EVERYONE = STATUSES.slice(0, 7);
const PRIORITIES = Array.from({ length: 10 }, (_, priority) => String(9 - priority));

interface Props {
  criteria: Criteria;
  isAdmin: boolean;
  set: (change: Partial<Criteria>) => void;
}

export function Filters({ criteria, isAdmin, set }: Props) {
  const types = useLive("types", (signal) => call("GET /v1/job-types", { signal }));
  const rare = rareOf(criteria);
  const [open, setOpen] = useState(rare > 0);
  useEffect(() => (rare > 0 ? setOpen(true) : undefined), [rare > 0]);
  const everyone = criteria.owner === "*";
  const toEveryone = (owner: string) => set({ owner, status: owner === "*" ? within(criteria.status, OF_EVERYONE) : criteria.status });
  const find = (text: string) => (isId(text) ? go(["jobs", text.toLowerCase()]) : set({ type: [...criteria.type, text] }));
  return (
    <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      {isAdmin ? (
        <Choice
          label="Whose jobs"
          value={criteria.owner}
          options={[["", "Mine"], ["*", "Everyone's"], ...(criteria.owner && !everyone ? [[criteria.owner, `${criteria.owner.slice(0, 8)}…`] as const] : [])]}
          onChange={toEveryone}
        />
      ) : null}
      <Statuses chosen={criteria.status} everyone={everyone} onChange={(status) => set({ status })} />
      <Tokens
        label="Type or id"
        first
        values={criteria.type}
        options={knownOf("types", types.data?.items.map((each) => each.name))}
        onAdd={find}
        onRemove={(type) => set({ type: without(criteria.type, type) })}
      />
      <Tokens
        label="Tag"
        placeholder="name=value"
        next="and…"
        values={criteria.tag}
        options={knownOf("tags")}
        flawed={(text) => !/^[^=]+=/.test(text)}
        onAdd={(tag) => set({ tag: [...criteria.tag.filter((each) => nameOf(each) !== nameOf(tag)), tag] })}
        onRemove={(tag) => set({ tag: without(criteria.tag, tag) })}
      />
      <label class="inline">
        <span>Order</span>
        <select value={criteria.reverse ? "1" : ""} onChange={(event) => set({ reverse: event.currentTarget.value === "1" })}>
          <option value="">{ordersOf(criteria)[0]}</option>
          <option value="1">{ordersOf(criteria)[1]}</option>
        </select>
      </label>
      <label class="inline">
        <input type="checkbox" checked={criteria.payloads} onChange={(event) => set({ payloads: event.currentTarget.checked })} />
        <span>Payloads</span>
      </label>
      <button type="button" class="textual" aria-expanded={open} onClick={() => setOpen(!open)}>
        {rare ? `More filters (${rare})` : "More filters"}
      </button>
      {isFiltered(criteria) ? <Button onClick={() => set(cleared(criteria))}>Clear</Button> : null}
      {open ? <Rare criteria={criteria} isAdmin={isAdmin} set={set} /> : null}
    </form>
  );
}

/** In which order the list is read, and the other way round. */
export function ordersOf({ owner, status }: Criteria): [string, string] {
  const ended = status.length > 0 && status.every((each) => each === "failed" || (each === "cancelled" && owner !== "*"));
  if (ended) return ["Last ended first", "First ended first"];
  return owner === "*" ? ["Next due first", "Last due first"] : ["Newest first", "Oldest first"];
}

/** Of everyone, failed jobs are a list of their own. */
function Statuses({ chosen, everyone, onChange }: { chosen: string[]; everyone: boolean; onChange: (statuses: string[]) => void }) {
  const toggle = (status: string) => {
    const next = chosen.includes(status) ? without(chosen, status) : [...chosen, status];
    onChange(everyone && next.includes("failed") ? (status === "failed" ? ["failed"] : without(next, "failed")) : next);
  };
  return (
    <fieldset class="choice pills">
      <legend class="unseen">Status</legend>
      {(everyone ? OF_EVERYONE : STATUSES).map((status) => (
        <label key={status} class={chosen.includes(status) ? `chosen status-${status}` : `status-${status}`}>
          <input type="checkbox" class="unseen" checked={chosen.includes(status)} onChange={() => toggle(status)} />
          <span class="dot" aria-hidden="true" />
          {status}
        </label>
      ))}
    </fieldset>
  );
}

function Rare({ criteria, isAdmin, set }: Props) {
  const lanes = useLive(`known lanes ${isAdmin}`, (signal) => (isAdmin ? call("GET /v1/lanes", { query: { limit: 100 }, signal }) : Promise.resolve({ items: [], next: null })));
  return (
    <div class="filters rare">
      <Tokens
        label="Lane"
        values={criteria.lane}
        options={knownOf("lanes", lanes.data?.items.map((each) => each.name))}
        onAdd={(lane) => set({ lane: [...criteria.lane, lane] })}
        onRemove={(lane) => set({ lane: without(criteria.lane, lane) })}
      />
      <Tokens
        label="Priority"
        placeholder="0 to 9"
        values={criteria.priority}
        options={PRIORITIES}
        flawed={(text) => !/^[0-9]$/.test(text)}
        onAdd={(priority) => set({ priority: [...criteria.priority, priority] })}
        onRemove={(priority) => set({ priority: without(criteria.priority, priority) })}
      />
      <label class="inline">
        <span>Error code</span>
        <input list="codes" placeholder="any" maxLength={200} value={criteria.code} spellcheck={false} autocomplete="off" onChange={(event) => set({ code: event.currentTarget.value.trim() })} />
        <datalist id="codes">
          {knownOf("codes").map((code) => (
            <option key={code} value={code} />
          ))}
        </datalist>
      </label>
      <label class="inline">
        <span>Attempts, at least</span>
        <input type="number" class="short" min={0} max={1000} value={criteria.attempts} onChange={(event) => set({ attempts: event.currentTarget.validity.valid ? event.currentTarget.value : "" })} />
      </label>
      <label class="inline">
        <span>Created from</span>
        <input type="datetime-local" value={localOf(criteria.from)} onChange={(event) => set({ from: momentOf(event.currentTarget.value) })} />
      </label>
      <label class="inline">
        <span>to</span>
        <input type="datetime-local" aria-label="Created before" value={localOf(criteria.to)} onChange={(event) => set({ to: momentOf(event.currentTarget.value) })} />
      </label>
    </div>
  );
}

function without(values: string[], value: string): string[] {
  return values.filter((each) => each !== value);
}

function within(values: string[], allowed: string[]): string[] {
  const kept = values.filter((each) => allowed.includes(each));
  return kept.length > 1 ? without(kept, "failed") : kept;
}

function nameOf(tag: string): string {
  return tag.slice(0, tag.indexOf("="));
}
