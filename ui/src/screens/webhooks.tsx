// Webhooks: who is told of jobs, and what was delivered. For admins.

import { useState } from "preact/hooks";
import type { JobPage, WebhookView } from "../../generated/schema.ts";
import { call } from "../api/client.ts";
import { attempt } from "../live/notices.ts";
import { useLive } from "../live/use_live.ts";
import { usePages } from "../live/use_pages.ts";
import { go } from "../live/use_route.ts";
import { Button, Copy, Facts, Id, Moment, Status } from "../parts/basics.tsx";
import { Confirm, Dialog, More, Panel, Screen } from "../parts/frame.tsx";
import { Empty, Shown } from "../parts/states.tsx";
import { href } from "../pure/route.ts";
import { JobTable } from "./job_table.tsx";
import { WebhookForm } from "./webhook_form.tsx";

const EVERY = 5000;
const REASONS: Record<string, string> = { gone: "it answered 410", failing: "it failed for three days", requested: "as an admin has asked" };

export function WebhooksScreen({ id }: { id: string | undefined }) {
  return id ? <OneWebhook key={id} id={id} /> : <AllWebhooks />;
}

function AllWebhooks() {
  const live = useLive("webhooks", (signal) => call("GET /v1/webhooks", { signal }), EVERY);
  const [creating, setCreating] = useState(false);
  const [secret, setSecret] = useState("");
  return (
    <Screen
      title="Webhooks"
      sub="Who is told of all jobs"
      actions={
        <Button kind="primary" onClick={() => setCreating(true)}>
          New webhook
        </Button>
      }
    >
      <Panel flush>
        <Shown live={live}>
          {({ items }) =>
            items.length ? (
              <table class="list">
                <thead>
                  <tr>
                    <th>Address</th>
                    <th class="col-short">State</th>
                    <th class="wide">Tells of</th>
                    <th class="col-time wide">Created</th>
                  </tr>
                </thead>
                <tbody>
                  {items.map((webhook) => (
                    <tr key={webhook.id}>
                      <td>
                        <a data-line class="name strong" href={href(["webhooks", webhook.id])} title={webhook.url}>
                          {webhook.url}
                        </a>
                        <span class="cut muted">{webhook.description || webhook.id.slice(0, 8)}</span>
                      </td>
                      <td class="col-short">
                        <State webhook={webhook} />
                      </td>
                      <td class="wide">
                        <span class="cut muted">{toldOf(webhook)}</span>
                      </td>
                      <td class="col-time wide">
                        <Moment at={webhook.created_at} />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            ) : (
              <Empty title="Nobody is told">A webhook tells another program when jobs end.</Empty>
            )
          }
        </Shown>
      </Panel>
      {creating ? (
        <WebhookForm
          onClose={() => setCreating(false)}
          onDone={(created) => {
            setCreating(false);
            setSecret(created.secret);
            live.refresh();
          }}
        />
      ) : null}
      {secret ? <Secret secret={secret} onClose={() => setSecret("")} /> : null}
    </Screen>
  );
}

function State({ webhook }: { webhook: WebhookView }) {
  return (
    <>
      <Status status={webhook.status} />
      {webhook.failing_since ? (
        <span class="cut flaw">
          failing since <Moment at={webhook.failing_since} />
        </span>
      ) : null}
      {webhook.disabled_reason ? <span class="cut muted small">{REASONS[webhook.disabled_reason] ?? webhook.disabled_reason}</span> : null}
    </>
  );
}

function toldOf(webhook: WebhookView): string {
  return `${webhook.statuses.join(", ")} of ${webhook.types.length ? webhook.types.join(", ") : "all types"}`;
}

function OneWebhook({ id }: { id: string }) {
  const path = { webhook_id: id };
  const live = useLive(`webhook ${id}`, (signal) => call("GET /v1/webhooks/{webhook_id}", { path, signal }), EVERY);
  const [secret, setSecret] = useState("");
  const [removing, setRemoving] = useState(false);
  const deliveries = usePages<JobPage["items"][number]>(
    `deliveries ${id}`,
    (cursor, signal) => call("GET /v1/webhooks/{webhook_id}/deliveries", { path, query: { limit: 20, ...(cursor ? { cursor } : {}) }, signal }),
    (job) => job.id,
    EVERY,
  );
  const toggle = (webhook: WebhookView) => {
    const enabled = webhook.status === "disabled";
    live.replace((shown) => ({ ...shown, status: enabled ? "enabled" : "disabled" }));
    const undo = () => live.replace(() => webhook);
    void attempt(() => call("PATCH /v1/webhooks/{webhook_id}", { path, body: { enabled } }), enabled ? "It is told again." : "It is told no more.", undo).then(live.refresh);
  };
  const rotate = async () => {
    const found = await attempt(() => call("POST /v1/webhooks/{webhook_id}/rotate", { path }), "");
    if (found) setSecret(found.secret);
  };
  const test = () => void attempt(() => call("POST /v1/webhooks/{webhook_id}/test", { path }), "A test is on its way.").then(deliveries.refresh);
  const remove = async () => {
    setRemoving(false);
    const done = await attempt(async () => {
      await call("DELETE /v1/webhooks/{webhook_id}", { path });
      return true;
    }, "The webhook is deleted.");
    if (done) go(["webhooks"]);
  };
  return (
    <Shown live={live}>
      {(webhook) => (
        <Screen
          title={<span class="title-name">{webhook.url}</span>}
          sub={
            <>
              <State webhook={webhook} />
              <Id id={webhook.id} short />
            </>
          }
          actions={
            <>
              <Button onClick={test}>Send a test</Button>
              <Button onClick={() => toggle(webhook)}>{webhook.status === "enabled" ? "Disable" : "Enable"}</Button>
              <Button onClick={() => void rotate()}>New secret</Button>
              <Button kind="danger" onClick={() => setRemoving(true)}>
                Delete
              </Button>
            </>
          }
        >
          <Panel title="About">
            <Facts
              facts={[
                ["Description", webhook.description || <span class="muted">–</span>],
                ["Tells of", toldOf(webhook)],
                ["Includes", webhook.include.join(", ") || "no documents"],
                ["Created", <Moment at={webhook.created_at} />],
              ]}
            />
          </Panel>
          <Panel title="Deliveries" flush>
            <Shown live={deliveries}>
              {(jobs) => (jobs.length ? <JobTable jobs={jobs} extra={(job) => <Replay id={id} delivery={job.id} final={Boolean(job.finished_at)} onDone={deliveries.refresh} />} /> : <Empty title="Nothing delivered yet" />)}
            </Shown>
          </Panel>
          <More pages={deliveries} noun="deliveries" />
          {secret ? <Secret secret={secret} onClose={() => setSecret("")} /> : null}
          {removing ? (
            <Confirm title="Delete this webhook?" verb="Delete it" danger onClose={() => setRemoving(false)} onConfirm={() => void remove()}>
              <p class="title-name">{webhook.url}</p>
            </Confirm>
          ) : null}
        </Screen>
      )}
    </Shown>
  );
}

function Replay({ id, delivery, final, onDone }: { id: string; delivery: string; final: boolean; onDone: () => void }) {
  const path = { webhook_id: id, delivery_id: delivery };
  const replay = () => void attempt(() => call("POST /v1/webhooks/{webhook_id}/deliveries/{delivery_id}/replay", { path }), "It is delivered again.").then(onDone);
  return (
    <Button disabled={!final} onClick={replay} label={`Again: ${delivery.slice(0, 8)}`}>
      Again
    </Button>
  );
}

export function Secret({ secret, onClose }: { secret: string; onClose: () => void }) {
  return (
    <Dialog title="Its secret" onClose={onClose}>
      <div class="dialog-body">
        <p>It is shown this once. Keep it where deliveries are verified.</p>
        <p class="secret">
          {secret} <Copy text={secret} what="the secret" />
        </p>
      </div>
      <div class="dialog-foot">
        <Button kind="primary" onClick={onClose}>
          I have it
        </Button>
      </div>
    </Dialog>
  );
}
