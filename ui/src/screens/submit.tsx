// A form that submits a job of one type.

import { useState } from "preact/hooks";
import type { JobTypeView, JsonValue, SubmitJob } from "../../generated/schema.ts";
import { call, Problem } from "../api/client.ts";
import { tell } from "../live/notices.ts";
import { go } from "../live/use_route.ts";
import { Button } from "../parts/basics.tsx";
import { Field } from "../parts/frame.tsx";
import { SchemaForm } from "../parts/schema_form.tsx";
import { documentOf, fieldsOf, type Schema } from "../pure/schema.ts";

interface More {
  delay: string;
  attempts: string;
  lane: string;
  priority: string;
}

const NOTHING: More = { delay: "", attempts: "", lane: "", priority: "" };

export function SubmitForm({ type }: { type: JobTypeView }) {
  const schema = type.payload_schema as Schema;
  const [document, setDocument] = useState<JsonValue | undefined>(() => firstOf(schema));
  const [more, setMore] = useState(NOTHING);
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | undefined>();

  const submit = async (event: Event) => {
    event.preventDefault();
    setTried(true);
    if (document === undefined) return;
    setBusy(true);
    setProblem(undefined);
    try {
      const job = await call("POST /v1/jobs", { body: bodyOf(type.name, document, more) });
      tell("Submitted.");
      go(["jobs", job.id]);
    } catch (error) {
      if (error instanceof Problem) setProblem(error);
      else tell(error instanceof Error ? error.message : String(error), "failed");
    } finally {
      setBusy(false);
    }
  };
  const flaws = Object.fromEntries((problem?.flaws ?? []).map((flaw) => [flaw.pointer.replace(/^\/payload/, ""), flaw.detail]));
  const field = (name: keyof More, label: string, hint: string) => (
    <Field label={label} hint={hint} flaw={flaws[`/${name}`]}>
      {(attributes) => <input {...attributes} value={more[name]} autocomplete="off" onInput={(event) => setMore({ ...more, [name]: event.currentTarget.value })} />}
    </Field>
  );
  return (
    <form class="form" onSubmit={(event) => void submit(event)} noValidate>
      <SchemaForm schema={schema} flaws={flaws} tried={tried} onChange={setDocument} />
      <details class="field-wide">
        <summary>When, and how often</summary>
        <div class="form">
          {field("delay", "Delay", "In seconds; at once if empty")}
          {field("attempts", "Attempts", `At most; ${type.max_attempts} if empty`)}
          {field("lane", "Lane", "Your jobs of one lane run one at a time")}
          {field("priority", "Priority", "In the lane, from 0 to 9; the highest goes first")}
        </div>
      </details>
      {problem ? (
        <p class="flaw field-wide" role="alert">
          {problem.message} {problem.flaws.map((flaw) => `${flaw.pointer}: ${flaw.detail}`).join("; ")}
        </p>
      ) : null}
      <div class="form-foot">
        <Button kind="primary" submit disabled={busy}>
          {busy ? "Submitting…" : "Submit the job"}
        </Button>
      </div>
    </form>
  );
}

function firstOf(schema: Schema): JsonValue | undefined {
  const fields = fieldsOf(schema);
  if (!fields) return {};
  const found = documentOf(fields, Object.fromEntries(fields.map((field) => [field.name, field.initial])));
  return "document" in found ? found.document : undefined;
}

function bodyOf(type: string, payload: JsonValue, more: More): SubmitJob {
  return {
    type,
    payload,
    ...(more.delay ? { delay_seconds: Number(more.delay) } : {}),
    ...(more.attempts ? { max_attempts: Number(more.attempts) } : {}),
    ...(more.lane ? { lane: more.lane } : {}),
    ...(more.priority ? { priority: Number(more.priority) } : {}),
  };
}
