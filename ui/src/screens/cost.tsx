// What a job has cost so far, and how it was counted; read when somebody asks.

import { useState } from "preact/hooks";
import { call } from "../api/client.ts";
import { useLive } from "../live/use_live.ts";
import { Dialog } from "../parts/frame.tsx";
import { Shown } from "../parts/states.tsx";
import { dollars } from "../pure/money.ts";

/** `version` of the job: another one costs anew. */
export function Cost({ id, version }: { id: string; version: number }) {
  const [open, setOpen] = useState(false);
  const live = useLive(`cost ${id} ${version}`, (signal) => call("GET /v1/jobs/{job_id}/cost", { path: { job_id: id }, signal }));
  return (
    <>
      <button type="button" class="textual" disabled={!live.data} onClick={() => setOpen(true)}>
        {live.data ? dollars(live.data.usd) : "…"}
      </button>
      {open ? (
        <Dialog title="What this job has cost" onClose={() => setOpen(false)}>
          <Shown live={live} rows={4}>
            {(cost) => (
              <>
                <table class="cost">
                  <tbody>
                    {cost.lines.map((line) => (
                      <tr key={line.what}>
                        <th scope="row">{line.what}</th>
                        <td class="muted">
                          {Number(line.quantity.toPrecision(3))} {line.unit}
                          {line.how === "estimated" ? ", estimated" : ""}
                        </td>
                        <td class="col-number">{dollars(line.usd)}</td>
                      </tr>
                    ))}
                  </tbody>
                  <tfoot>
                    <tr>
                      <th scope="row">Together</th>
                      <td />
                      <td class="col-number strong">{dollars(cost.usd)}</td>
                    </tr>
                  </tfoot>
                </table>
                <p class="muted small">{cost.note}</p>
              </>
            )}
          </Shown>
        </Dialog>
      ) : null}
    </>
  );
}
