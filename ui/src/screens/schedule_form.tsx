// A new schedule, with the moments at which it would tick.

import { useState } from "preact/hooks";
import { call, Problem } from "../api/client.ts";
import { tell } from "../live/notices.ts";
import { useLive } from "../live/use_live.ts";
import { Button } from "../parts/basics.tsx";
import { Choice, Dialog, Field } from "../parts/frame.tsx";
import { parsed } from "../pure/schema.ts";
import { exact } from "../pure/time.ts";

interface Values {
  name: string;
  kind: "cron" | "every";
  cron: string;
  every: string;
  timezone: string;
  type: string;
  payload: string;
  overlap: "allow" | "skip" | "cancel";
  missed: "latest" | "all" | "none";
}

const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const FIRST: Values = { name: "", kind: "cron", cron: "0 3 * * *", every: "3600", timezone: ZONE, type: "", payload: "{}", overlap: "allow", missed: "latest" };

export function ScheduleForm({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const [values, setValues] = useState(FIRST);
  const [problem, setProblem] = useState<Problem | undefined>();
  const types = useLive("types", (signal) => call("GET /v1/job-types", { signal }));
  const set = (change: Partial<Values>) => setValues({ ...values, ...change });
  const payload = parsed(values.payload);
  const flaws = Object.fromEntries((problem?.flaws ?? []).map((flaw) => [flaw.pointer.split("/")[1] ?? "", flaw.detail]));

  const submit = async (event: Event) => {
    event.preventDefault();
    if (!("value" in payload)) return;
    const { name, type, overlap, missed } = values;
    try {
      await call("POST /v1/schedules", { body: { name, type, payload: payload.value, overlap, missed, ...timingOf(values) } });
      tell(`${name} is created.`);
      onDone();
      onClose();
    } catch (error) {
      if (error instanceof Problem) setProblem(error);
      else tell(String(error), "failed");
    }
  };
  const input = (name: "name" | "cron" | "every" | "timezone" | "type", label: string, hint: string, extra: Record<string, string> = {}) => (
    <Field label={label} hint={hint} flaw={flaws[name === "every" ? "every_seconds" : name]}>
      {(attributes) => <input {...attributes} {...extra} value={values[name]} autocomplete="off" spellcheck={false} onInput={(event) => set({ [name]: event.currentTarget.value })} />}
    </Field>
  );
  return (
    <Dialog title="New schedule" onClose={onClose}>
      <form class="form" onSubmit={(event) => void submit(event)} noValidate>
        {input("name", "Name", "")}
        {input("type", "Type", "", { list: "schedule-types" })}
        <datalist id="schedule-types">
          {types.data?.items.map((each) => (
            <option key={each.name} value={each.name} />
          ))}
        </datalist>
        <div class="field-wide">
          <Choice
            label="Kind of schedule"
            value={values.kind}
            options={[
              ["cron", "By the clock"],
              ["every", "At an interval"],
            ]}
            onChange={(kind) => set({ kind })}
          />
        </div>
        {values.kind === "cron" ? input("cron", "Cron", "Minute, hour, day of month, month, day of week") : input("every", "Seconds", "Between two jobs")}
        {values.kind === "cron" ? input("timezone", "Time zone", "Where the clock is") : <span />}
        <Preview values={values} />
        <Field label="Payload" wide flaw={"flaw" in payload ? payload.flaw : flaws.payload} hint="JSON">
          {(attributes) => <textarea {...attributes} rows={5} spellcheck={false} value={values.payload} onInput={(event) => set({ payload: event.currentTarget.value })} />}
        </Field>
        <Field label="If the last one still runs" hint="">
          {(attributes) => (
            <select {...attributes} value={values.overlap} onChange={(event) => set({ overlap: event.currentTarget.value as Values["overlap"] })}>
              <option value="allow">run both</option>
              <option value="skip">skip the new one</option>
              <option value="cancel">cancel the old one</option>
            </select>
          )}
        </Field>
        <Field label="If some were missed" hint="">
          {(attributes) => (
            <select {...attributes} value={values.missed} onChange={(event) => set({ missed: event.currentTarget.value as Values["missed"] })}>
              <option value="latest">run the latest</option>
              <option value="all">run all</option>
              <option value="none">run none</option>
            </select>
          )}
        </Field>
        {problem ? (
          <p class="flaw field-wide" role="alert">
            {problem.message} {problem.flaws.map((flaw) => `${flaw.pointer}: ${flaw.detail}`).join("; ")}
          </p>
        ) : null}
        <div class="form-foot">
          <Button onClick={onClose}>Back</Button>
          <Button kind="primary" submit disabled={!values.name || !values.type || "flaw" in payload}>
            Create
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function Preview({ values }: { values: Values }) {
  const timing = timingOf(values);
  const live = useLive(`preview ${JSON.stringify(timing)}`, (signal) => call("POST /v1/schedules/preview", { body: { ...timing, count: 3 }, signal }));
  return (
    <div class="field-wide preview" aria-live="polite">
      {live.data ? (
        <ul class="plain muted">
          {live.data.next.map((at) => (
            <li key={at}>{exact(Date.parse(at), values.kind === "cron" ? zoneOf(values.timezone) : undefined)}</li>
          ))}
        </ul>
      ) : (
        <p class={live.error ? "flaw" : "muted"}>{live.error instanceof Problem ? [live.error.message, ...live.error.flaws.map((flaw) => flaw.detail)].join(" ") : "…"}</p>
      )}
    </div>
  );
}

function timingOf(values: Values) {
  return values.kind === "cron" ? { cron: values.cron, timezone: values.timezone } : { every_seconds: Number(values.every) };
}

/** The zone, if this browser knows it. */
function zoneOf(name: string): string | undefined {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return name;
  } catch {
    return undefined;
  }
}
