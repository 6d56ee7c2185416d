// Lanes: how many jobs run at once, who runs, and who stands in line. For admins.

import { useState } from "preact/hooks";
import type { LaneView } from "../../generated/schema.ts";
import { call } from "../api/client.ts";
import { attempt } from "../live/notices.ts";
import { usePages } from "../live/use_pages.ts";
import { Button, Id, Moment, Name, Status } from "../parts/basics.tsx";
import { Dialog, Field, More, Panel, Screen } from "../parts/frame.tsx";
import { Empty, Shown } from "../parts/states.tsx";
import { href } from "../pure/route.ts";

const EVERY = 3000;

export function LanesScreen() {
  const pages = usePages(
    "lanes",
    async (after, signal) => call("GET /v1/lanes", { query: { limit: 20, ...(after ? { after } : {}) }, signal }),
    (lane) => lane.name,
    EVERY,
  );
  const [editing, setEditing] = useState<LaneView | undefined>();
  const [opened, setOpened] = useState("");
  const change = (lane: LaneView, mode: "pause" | "resume" | "drain") => {
    const expected = { pause: "paused", resume: "open", drain: "draining" } as const;
    const show = (next: LaneView["mode"]) => pages.replace((page) => ({ ...page, items: page.items.map((each) => (each.name === lane.name ? { ...each, mode: next } : each)) }));
    show(expected[mode]);
    const path = { lane: lane.name };
    const send = { pause: () => call("POST /v1/lanes/{lane}/pause", { path }), resume: () => call("POST /v1/lanes/{lane}/resume", { path }), drain: () => call("POST /v1/lanes/{lane}/drain", { path }) };
    void attempt(send[mode], `${lane.name} is ${expected[mode]}.`, () => show(lane.mode)).then(pages.refresh);
  };
  return (
    <Screen title="Lanes" sub="Those in which jobs wait, and those that an admin has changed">
      <Panel flush>
        <Shown live={pages}>
          {(lanes) =>
            lanes.length ? (
              <table class="list lanes">
                <thead>
                  <tr>
                    <th>Lane</th>
                    <th class="col-short">State</th>
                    <th class="col-number">Running</th>
                    <th class="col-number">In line</th>
                    <th class="col-short wide">Rate</th>
                    <th class="col-actions wide">Change</th>
                  </tr>
                </thead>
                <tbody>
                  {lanes.map((lane) => (
                    <Line key={lane.name} lane={lane} open={opened === lane.name} onOpen={() => setOpened(opened === lane.name ? "" : lane.name)} onEdit={() => setEditing(lane)} onChange={(mode) => change(lane, mode)} />
                  ))}
                </tbody>
              </table>
            ) : (
              <Empty title="Nobody stands in line">A lane is listed when a job waits in it, or when you have changed its limit.</Empty>
            )
          }
        </Shown>
      </Panel>
      <More pages={pages} noun="lanes" />
      {editing ? <Edit lane={editing} onClose={() => setEditing(undefined)} onDone={pages.refresh} /> : null}
    </Screen>
  );
}

interface LineProps {
  lane: LaneView;
  open: boolean;
  onOpen: () => void;
  onEdit: () => void;
  onChange: (mode: "pause" | "resume" | "drain") => void;
}

function Line({ lane, open, onOpen, onEdit, onChange }: LineProps) {
  const buttons = (
    <div class="actions">
      {lane.mode === "open" ? <Button onClick={() => onChange("pause")} label={`Pause ${lane.name}`}>Pause</Button> : <Button onClick={() => onChange("resume")} label={`Resume ${lane.name}`}>Resume</Button>}
      {lane.mode === "open" ? <Button onClick={() => onChange("drain")} label={`Drain ${lane.name}`}>Drain</Button> : null}
      <Button onClick={onEdit} label={`Limit… of ${lane.name}`}>Limit…</Button>
    </div>
  );
  return (
      <tr>
        <td>
          <button type="button" class="textual name strong" data-line aria-expanded={open} title={lane.name} onClick={onOpen}>
            {lane.name}
          </button>
          {open ? <Places lane={lane} /> : null}
          <span class="narrow">{buttons}</span>
        </td>
        <td class="col-short">
          <Status status={lane.mode} />
        </td>
        <td class="col-number">
          {lane.running}
          <span class="muted"> / {lane.limit ?? "type's"}</span>
        </td>
        <td class="col-number">{lane.waiting >= 1000 ? "1,000+" : lane.waiting}</td>
        <td class="col-short wide">{lane.rate ? `${lane.rate.count} / ${lane.rate.per_seconds} s` : <span class="muted">–</span>}</td>
        <td class="col-actions wide">{buttons}</td>
      </tr>
  );
}

function Places({ lane }: { lane: LaneView }) {
  if (!lane.places.length) return <p class="muted">No job runs in it now.</p>;
  return (
    <ul class="places">
      {lane.places.map((place) => (
        <li key={place.job_id}>
          <Id id={place.job_id} short link={href(["jobs", place.job_id])} />{" "}
          <span class="muted">
            since <Moment at={place.since} />
          </span>
        </li>
      ))}
    </ul>
  );
}

function Edit({ lane, onClose, onDone }: { lane: LaneView; onClose: () => void; onDone: () => void }) {
  const [limit, setLimit] = useState(lane.limit === null ? "" : String(lane.limit));
  const [starts, setStarts] = useState(lane.rate ? String(lane.rate.count) : "");
  const [seconds, setSeconds] = useState(lane.rate ? String(lane.rate.per_seconds) : "");
  const save = async (event: Event) => {
    event.preventDefault();
    const rate = starts ? { count: Number(starts), per_seconds: Number(seconds || "1") } : null;
    const body = { limit: limit === "" ? null : Number(limit), rate };
    const done = await attempt(() => call("PATCH /v1/lanes/{lane}", { path: { lane: lane.name }, body }), "Changed.");
    if (!done) return;
    onDone();
    onClose();
  };
  const input = (value: string, set: (value: string) => void, label: string, hint: string) => (
    <Field label={label} hint={hint}>
      {(attributes) => <input {...attributes} inputMode="decimal" value={value} onInput={(event) => set(event.currentTarget.value)} />}
    </Field>
  );
  return (
    <Dialog title="Limit of a lane" onClose={onClose}>
      <p class="title-name muted">
        <Name text={lane.name} />
      </p>
      <form class="form" onSubmit={(event) => void save(event)}>
        <div class="field-wide">{input(limit, setLimit, "At once", "Empty: as its job types say. 0 starts none.")}</div>
        {input(starts, setStarts, "Starts", "Empty: no rate but the types'")}
        {input(seconds, setSeconds, "In seconds", "The time for so many starts")}
        <div class="form-foot">
          <Button onClick={onClose}>Back</Button>
          <Button kind="primary" submit>
            Save
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
