// Sends the signals that a durable job waits for.

import { useState } from "preact/hooks";
import type { JobView } from "../../generated/schema.ts";
import { call } from "../api/client.ts";
import { attempt } from "../live/notices.ts";
import { Button } from "../parts/basics.tsx";
import { Dialog, Field } from "../parts/frame.tsx";
import { parsed } from "../pure/schema.ts";

export function SignalButtons({ job, onSent }: { job: JobView; onSent: () => void }) {
  const [name, setName] = useState("");
  const awaited = (job.waiting_for ?? []).flatMap((wait) => (wait.kind === "signal" ? [wait.name] : []));
  if (!awaited.length) return null;
  return (
    <>
      {awaited.map((each) => (
        <Button key={each} onClick={() => setName(each)}>
          Send {each}…
        </Button>
      ))}
      {name ? <SignalDialog id={job.id} name={name} onClose={() => setName("")} onSent={onSent} /> : null}
    </>
  );
}

function SignalDialog({ id, name, onClose, onSent }: { id: string; name: string; onClose: () => void; onSent: () => void }) {
  const [text, setText] = useState("{}");
  const value = parsed(text);
  const send = async (event: Event) => {
    event.preventDefault();
    if (!("value" in value)) return;
    const sent = await attempt(() => call("POST /v1/jobs/{job_id}/signals/{name}", { path: { job_id: id, name }, body: value.value }), `${name} is sent.`);
    if (!sent) return;
    onSent();
    onClose();
  };
  return (
    <Dialog title={`Send the signal ${name}`} onClose={onClose}>
      <form class="form" onSubmit={(event) => void send(event)}>
        <Field label="What it says" hint="JSON; a signal is sent once" wide flaw={"flaw" in value ? value.flaw : undefined}>
          {(attributes) => <textarea {...attributes} rows={6} spellcheck={false} value={text} onInput={(event) => setText(event.currentTarget.value)} />}
        </Field>
        <div class="form-foot">
          <Button onClick={onClose}>Back</Button>
          <Button kind="primary" submit disabled={"flaw" in value}>
            Send
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
