// A job's payload and result, or where they are if they are too large to be shown.

import type { JobView } from "../../generated/schema.ts";
import { Copy } from "../parts/basics.tsx";
import { Panel } from "../parts/frame.tsx";
import { Document } from "../parts/tree.tsx";
import { isFinal } from "../pure/job.ts";
import { bytes } from "../pure/json.ts";

export function Documents({ job }: { job: JobView }) {
  return (
    <>
      {job.payload_ref && job.payload === null ? <Elsewhere title="Payload" id={job.id} name="payload" size={job.payload_ref.size} /> : <Document title="Payload" value={job.payload} />}
      {job.result_ref && job.result === null ? (
        <Elsewhere title="Result" id={job.id} name="result" size={job.result_ref.size} />
      ) : job.status === "succeeded" ? (
        <Document title="Result" value={job.result} />
      ) : (
        <Panel title="Result">
          <p class="muted">{isFinal(job) ? "It has none: it did not succeed." : "Not yet."}</p>
        </Panel>
      )}
    </>
  );
}

function Elsewhere({ title, id, name, size }: { title: string; id: string; name: string; size: number }) {
  const command = `headrace get ${id} --only ${name}`;
  return (
    <Panel title={title}>
      <p>
        {bytes(size)}, too large to be shown here. This command prints it:
      </p>
      <p class="command">
        <code>{command}</code> <Copy text={command} what="the command" />
      </p>
    </Panel>
  );
}
