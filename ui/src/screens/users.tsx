// Users: who may use this deployment, and as what. For admins.

import { useState } from "preact/hooks";
import type { UserView } from "../../generated/schema.ts";
import { call, Problem } from "../api/client.ts";
import { attempt, tell } from "../live/notices.ts";
import { usePages } from "../live/use_pages.ts";
import { refine } from "../live/use_route.ts";
import { Button, Id, Moment, Status } from "../parts/basics.tsx";
import { Choice, Confirm, Dialog, Field, More, Panel, Screen } from "../parts/frame.tsx";
import { Empty, Shown } from "../parts/states.tsx";
import { href } from "../pure/route.ts";
import { Principals } from "./principals.tsx";

type Role = UserView["role"];

export function UsersScreen({ me, query }: { me: UserView; query: Record<string, string> }) {
  const role: Role = query.role === "admin" ? "admin" : "member";
  const email = query.email ?? "";
  const pages = usePages(
    `users ${role} ${email}`,
    (cursor, signal) => call("GET /v1/users", { query: email ? { email } : { role, limit: 50, ...(cursor ? { cursor } : {}) }, signal }),
    (user) => user.id,
  );
  const [creating, setCreating] = useState(false);
  const [removing, setRemoving] = useState<UserView | undefined>();
  const [opened, setOpened] = useState<UserView | undefined>();
  const change = (user: UserView, body: { role?: Role; disabled?: boolean }, done: string) => {
    const show = (next: UserView) => pages.replace((page) => ({ ...page, items: page.items.map((each) => (each.id === user.id ? next : each)) }));
    show({ ...user, ...body });
    const path = { user_id: user.id };
    const send = async () => {
      // What is changed here does not depend on what else has changed since the list was read.
      const { version } = await call("GET /v1/users/{user_id}", { path });
      return call("PATCH /v1/users/{user_id}", { path, body, headers: { "if-match": `"${version}"` } });
    };
    void attempt(send, done, () => show(user)).then(pages.refresh);
  };
  const remove = async (user: UserView) => {
    setRemoving(undefined);
    await attempt(() => call("DELETE /v1/users/{user_id}", { path: { user_id: user.id } }), `${user.email} is deleted.`);
    pages.refresh();
  };
  return (
    <Screen
      title="Users"
      sub="Who may use this deployment"
      actions={
        <Button kind="primary" onClick={() => setCreating(true)}>
          New user
        </Button>
      }
    >
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <Choice
          label="Role"
          value={role}
          options={[
            ["member", "Members"],
            ["admin", "Admins"],
          ]}
          onChange={(next) => refine(["users"], { role: next })}
        />
        <label class="inline grow">
          <span>Address</span>
          <input data-filter type="search" placeholder="find one by its whole address" value={email} onChange={(event) => refine(["users"], { role, email: event.currentTarget.value.trim() })} />
        </label>
      </form>
      <Panel flush>
        <Shown live={pages}>
          {(users) =>
            users.length ? (
              <table class="list">
                <thead>
                  <tr>
                    <th>User</th>
                    <th class="col-status">State</th>
                    <th class="col-time wide">Created</th>
                    <th class="col-actions wide user-actions">Change</th>
                  </tr>
                </thead>
                <tbody>
                  {users.map((user) => (
                    <Line key={user.id} user={user} isMe={user.id === me.id} onChange={change} onRemove={() => setRemoving(user)} onKeys={() => setOpened(user)} />
                  ))}
                </tbody>
              </table>
            ) : (
              <Empty title={email ? "No user has this address" : `No ${role}s`} />
            )
          }
        </Shown>
      </Panel>
      <More pages={pages} noun="users" />
      {creating ? <NewUser onClose={() => setCreating(false)} onDone={pages.refresh} /> : null}
      {opened ? (
        <Principals
          user={opened}
          onClose={() => {
            setOpened(undefined);
            pages.refresh(); // A key changes its user's version.
          }}
        />
      ) : null}
      {removing ? (
        <Confirm title="Delete this user?" verb="Delete the user" danger onClose={() => setRemoving(undefined)} onConfirm={() => void remove(removing)}>
          <p class="title-name">{removing.email}</p>
          <p class="muted">The user's jobs stay until they expire; nobody but admins sees them.</p>
        </Confirm>
      ) : null}
    </Screen>
  );
}

interface LineProps {
  user: UserView;
  isMe: boolean;
  onChange: (user: UserView, body: { role?: Role; disabled?: boolean }, done: string) => void;
  onRemove: () => void;
  onKeys: () => void;
}

function Line({ user, isMe, onChange, onRemove, onKeys }: LineProps) {
  const other: Role = user.role === "admin" ? "member" : "admin";
  const buttons = (
    <div class="actions">
      <Button onClick={onKeys} label={`Keys of ${user.email}`}>
        Keys
      </Button>
      <Button disabled={isMe} onClick={() => onChange(user, { role: other }, `${user.email} is ${other === "admin" ? "an admin" : "a member"}.`)} label={`Make ${other}: ${user.email}`}>
        Make {other}
      </Button>
      <Button disabled={isMe} onClick={() => onChange(user, { disabled: !user.disabled }, user.disabled ? `${user.email} may enter again.` : `${user.email} may not enter any more.`)} label={`${user.disabled ? "Enable" : "Disable"} ${user.email}`}>
        {user.disabled ? "Enable" : "Disable"}
      </Button>
      <Button kind="danger" disabled={isMe} onClick={onRemove} label={`Delete ${user.email}`}>
        Delete
      </Button>
    </div>
  );
  return (
    <tr>
      <td>
        <a data-line class="name strong" href={href(["jobs"], { owner: user.id })} title={`Jobs of ${user.email}`}>
          {user.email}
        </a>
        <div class="second">
          <span class="cut">{user.name}</span>
          <Id id={user.id} short />
        </div>
        <span class="narrow">{buttons}</span>
      </td>
      <td class="col-status">
        <Status status={user.disabled ? "disabled" : "enabled"} />
      </td>
      <td class="col-time wide">
        <Moment at={user.created_at} />
      </td>
      <td class="col-actions wide user-actions">{buttons}</td>
    </tr>
  );
}

function NewUser({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const [email, setEmail] = useState("");
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("member");
  const [problem, setProblem] = useState<Problem | undefined>();
  const submit = async (event: Event) => {
    event.preventDefault();
    try {
      await call("POST /v1/users", { body: { email, name, role } });
      tell(`${email} may enter.`);
      onDone();
      onClose();
    } catch (error) {
      if (error instanceof Problem) setProblem(error);
      else tell(String(error), "failed");
    }
  };
  return (
    <Dialog title="New user" onClose={onClose}>
      <form class="form" onSubmit={(event) => void submit(event)} noValidate>
        <Field label="Address" wide hint="As the identity provider verifies it" flaw={problem ? [problem.message, ...problem.flaws.map((flaw) => flaw.detail)].join(" ") : undefined}>
          {(attributes) => <input {...attributes} type="email" value={email} onInput={(event) => setEmail(event.currentTarget.value)} />}
        </Field>
        <Field label="Name" hint="">
          {(attributes) => <input {...attributes} maxLength={200} value={name} onInput={(event) => setName(event.currentTarget.value)} />}
        </Field>
        <Field label="Role" hint="Admins see and change everything">
          {(attributes) => (
            <select {...attributes} value={role} onChange={(event) => setRole(event.currentTarget.value as Role)}>
              <option value="member">member</option>
              <option value="admin">admin</option>
            </select>
          )}
        </Field>
        <div class="form-foot">
          <Button onClick={onClose}>Back</Button>
          <Button kind="primary" submit disabled={!email || !name}>
            Create
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
