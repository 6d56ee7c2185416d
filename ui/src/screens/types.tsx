// The job types of this deployment: what each takes and gives, and a form that submits a job.

import type { JobTypeView, JsonValue, UserView } from "../../generated/schema.ts";
import { call } from "../api/client.ts";
import { usePages } from "../live/use_pages.ts";
import { useLive } from "../live/use_live.ts";
import { Facts } from "../parts/basics.tsx";
import { More, Panel, Screen } from "../parts/frame.tsx";
import { Empty, Shown } from "../parts/states.tsx";
import { href } from "../pure/route.ts";
import { fieldsOf, type Schema } from "../pure/schema.ts";
import { duration } from "../pure/time.ts";
import { SubmitForm } from "./submit.tsx";

export function TypesScreen({ me, name }: { me: UserView; name: string | undefined }) {
  return name ? <OneType key={name} name={name} isAdmin={me.role === "admin"} /> : <AllTypes />;
}

function AllTypes() {
  const pages = usePages("types list", (cursor, signal) => call("GET /v1/job-types", { query: { ...(cursor ? { cursor } : {}) }, signal }), (type) => type.name);
  return (
    <Screen title="Types" sub="What this deployment can run">
      <Panel flush>
        <Shown live={pages}>
          {(types) =>
            types.length ? (
              <table class="list types">
                <thead>
                  <tr>
                    <th>Type</th>
                    <th class="col-number wide">Attempts</th>
                    <th class="col-number">Time limit</th>
                  </tr>
                </thead>
                <tbody>
                  {types.map((type) => (
                    <tr key={type.name}>
                      <td>
                        <a data-line class="name strong" href={href(["types", type.name])} title={type.name}>
                          {type.name}
                        </a>
                        <span class="cut muted">{type.summary}</span>
                      </td>
                      <td class="col-number wide">{type.max_attempts}</td>
                      <td class="col-number">{duration(type.timeout_seconds * 1000)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            ) : (
              <Empty title="No job types" />
            )
          }
        </Shown>
      </Panel>
      <More pages={pages} noun="types" />
    </Screen>
  );
}

function OneType({ name, isAdmin }: { name: string; isAdmin: boolean }) {
  const live = useLive(`type ${name}`, (signal) => call("GET /v1/job-types/{name}", { path: { name }, signal }));
  return (
    <Shown live={live}>
      {(type) => (
        <Screen title={<span class="title-name">{type.name}</span>} sub={type.summary} actions={<Links type={type.name} isAdmin={isAdmin} />}>
          <Panel title="Submit a job">
            <SubmitForm type={type} />
          </Panel>
          <Panel title="About">
            <Facts
              facts={[
                ["Attempts", type.max_attempts],
                ["Time limit of an attempt", duration(type.timeout_seconds * 1000)],
                ["Payload version", type.payload_version],
                ["Former names", type.aliases.length ? type.aliases.join(", ") : <span class="muted">–</span>],
              ]}
            />
          </Panel>
          <div class="pair">
            <Members title="Payload" schema={type.payload_schema} />
            <Members title="Result" schema={type.result_schema} />
          </div>
        </Screen>
      )}
    </Shown>
  );
}

function Links({ type, isAdmin }: { type: string; isAdmin: boolean }) {
  return (
    <>
      {isAdmin ? <a href={href([], { type })}>Its numbers</a> : null}
      <a href={href(["jobs"], { type })}>Its jobs</a>
    </>
  );
}

function Members({ title, schema }: { title: string; schema: JobTypeView["payload_schema"] }) {
  const fields = fieldsOf(schema as Schema) ?? [];
  const told = (schema as Record<string, JsonValue>).description;
  return (
    <Panel title={title}>
      {typeof told === "string" ? <p class="muted">{told}</p> : null}
      {fields.length ? (
        <table class="list members">
          <tbody>
            {fields.map((field) => (
              <tr key={field.name}>
                <th scope="row">
                  <code>{field.name}</code>
                </th>
                <td>
                  <span class="muted">
                    {field.choices.length ? field.choices.join(" | ") : field.kind === "long" ? "text" : field.kind}
                    {field.required ? "" : ", optional"}
                    {field.initial ? `, by default ${field.initial}` : ""}
                  </span>
                  {field.description ? <span class="told">{field.description}</span> : null}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        <p class="muted">No members.</p>
      )}
      <details>
        <summary>JSON Schema</summary>
        <pre class="raw" tabIndex={0}>
          {JSON.stringify(schema, null, 2)}
        </pre>
      </details>
    </Panel>
  );
}
