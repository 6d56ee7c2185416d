// The programs that may act as a user: API keys are made, rotated and removed here; other kinds are shown.

import { useState } from "preact/hooks";
import type { PrincipalView, UserView } from "../../generated/schema.ts";
import { call } from "../api/client.ts";
import { attempt } from "../live/notices.ts";
import { useLive } from "../live/use_live.ts";
import { Button, Copy, Moment } from "../parts/basics.tsx";
import { Dialog, Field } from "../parts/frame.tsx";
import { Shown } from "../parts/states.tsx";

export function Principals({ user, onClose }: { user: UserView; onClose: () => void }) {
  const path = { user_id: user.id };
  const live = useLive(`principals ${user.id}`, (signal) => call("GET /v1/users/{user_id}/principals", { path, signal }));
  const [name, setName] = useState("");
  const [key, setKey] = useState("");
  const show = (made: PrincipalView | undefined) => {
    if (made?.key) setKey(made.key);
    live.refresh();
  };
  const add = async (event: Event) => {
    event.preventDefault();
    show(await attempt(() => call("POST /v1/users/{user_id}/principals", { path, body: { name } }), "A key is made."));
    setName("");
  };
  const rotate = async (principal: PrincipalView) =>
    show(await attempt(() => call("POST /v1/users/{user_id}/principals/{principal_id}/rotate", { path: { ...path, principal_id: principal.id }, body: {} }), "A new secret is made; the present one is valid too."));
  const remove = async (principal: PrincipalView) => {
    await attempt(() => call("DELETE /v1/users/{user_id}/principals/{principal_id}", { path: { ...path, principal_id: principal.id } }), `${principal.name} is removed.`);
    live.refresh();
  };
  return (
    <Dialog title={`Programs of ${user.email}`} onClose={onClose}>
      <div class="dialog-body">
        {key ? (
          <p class="secret">
            {key} <Copy text={key} what="the key" />
            <span class="hint">It is shown this once.</span>
          </p>
        ) : null}
        <Shown live={live} rows={2}>
          {({ items }) =>
            items.length ? (
              <ul class="principals">
                {items.map((principal) => (
                  <li key={principal.id}>
                    <div>
                      <strong class="title-name">{principal.name}</strong>
                      <p class="muted small title-name">
                        {principal.kind} · {principal.scopes.join(", ") || "all scopes"}
                        {principal.kind === "key" ? ` · ${principal.valid_secrets} ${principal.valid_secrets === 1 ? "secret" : "secrets"}` : ` · ${principal.subject}`}
                        {principal.expires_at ? (
                          <>
                            {" · "}ends <Moment at={principal.expires_at} />
                          </>
                        ) : null}
                      </p>
                    </div>
                    <div class="actions">
                      {principal.valid_secrets ? (
                        <Button onClick={() => void rotate(principal)} label={`Rotate ${principal.name}`}>
                          Rotate
                        </Button>
                      ) : null}
                      <Button kind="danger" onClick={() => void remove(principal)} label={`Remove ${principal.name}`}>
                        Remove
                      </Button>
                    </div>
                  </li>
                ))}
              </ul>
            ) : (
              <p class="muted">No program acts as this user.</p>
            )
          }
        </Shown>
        <form class="form" onSubmit={(event) => void add(event)}>
          <Field label="New API key" hint="What it is for" wide>
            {(attributes) => <input {...attributes} maxLength={200} value={name} onInput={(event) => setName(event.currentTarget.value)} />}
          </Field>
          <div class="form-foot">
            <Button onClick={onClose}>Close</Button>
            <Button kind="primary" submit disabled={!name.trim()}>
              Make a key
            </Button>
          </div>
        </form>
      </div>
    </Dialog>
  );
}
