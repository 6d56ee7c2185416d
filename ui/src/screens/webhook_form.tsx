// A new webhook.

import { useState } from "preact/hooks";
import type { CreateWebhook, NewWebhookView } from "../../generated/schema.ts";
import { call, Problem } from "../api/client.ts";
import { tell } from "../live/notices.ts";
import { Button } from "../parts/basics.tsx";
import { Dialog, Field } from "../parts/frame.tsx";

const STATUSES = ["queued", "running", "succeeded", "failed", "cancelled"] as const;
type Told = NonNullable<CreateWebhook["statuses"]>[number];

export function WebhookForm({ onClose, onDone }: { onClose: () => void; onDone: (created: NewWebhookView) => void }) {
  const [url, setUrl] = useState("");
  const [description, setDescription] = useState("");
  const [types, setTypes] = useState("");
  const [statuses, setStatuses] = useState<ReadonlySet<string>>(new Set(["succeeded", "failed", "cancelled"]));
  const [problem, setProblem] = useState<Problem | undefined>();
  const flaws = Object.fromEntries((problem?.flaws ?? []).map((flaw) => [flaw.pointer.split("/")[1] ?? "", flaw.detail]));
  const submit = async (event: Event) => {
    event.preventDefault();
    const names = types.split(",").map((each) => each.trim()).filter(Boolean);
    try {
      onDone(await call("POST /v1/webhooks", { body: { url, description, statuses: [...statuses] as Told[], ...(names.length ? { types: names } : {}) } }));
    } catch (error) {
      if (error instanceof Problem) setProblem(error);
      else tell(String(error), "failed");
    }
  };
  const toggle = (status: string) => {
    const next = new Set(statuses);
    if (!next.delete(status)) next.add(status);
    setStatuses(next);
  };
  return (
    <Dialog title="New webhook" onClose={onClose}>
      <form class="form" onSubmit={(event) => void submit(event)} noValidate>
        <Field label="Address" wide hint="Deliveries are signed requests to it" flaw={flaws.url}>
          {(attributes) => <input {...attributes} type="url" placeholder="https://" value={url} onInput={(event) => setUrl(event.currentTarget.value)} />}
        </Field>
        <fieldset class="field-wide">
          <legend class="strong">Tells when a job is</legend>
          <div class="boxes">
            {STATUSES.map((status) => (
              <label key={status}>
                <input type="checkbox" checked={statuses.has(status)} onChange={() => toggle(status)} />
                {status}
              </label>
            ))}
          </div>
        </fieldset>
        <Field label="Only of these types" hint="Separated by commas; all if empty" flaw={flaws.types}>
          {(attributes) => <input {...attributes} value={types} onInput={(event) => setTypes(event.currentTarget.value)} />}
        </Field>
        <Field label="Description" hint="" flaw={flaws.description}>
          {(attributes) => <input {...attributes} maxLength={200} value={description} onInput={(event) => setDescription(event.currentTarget.value)} />}
        </Field>
        {problem ? (
          <p class="flaw field-wide" role="alert">
            {problem.message}
          </p>
        ) : null}
        <div class="form-foot">
          <Button onClick={onClose}>Back</Button>
          <Button kind="primary" submit disabled={!url || !statuses.size}>
            Create
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
