// What a member sees first: own jobs that failed, and the latest.

import { call } from "../api/client.ts";
import { useLive } from "../live/use_live.ts";
import { Panel, Screen } from "../parts/frame.tsx";
import { Empty, Shown } from "../parts/states.tsx";
import { href } from "../pure/route.ts";
import { JobTable } from "./job_table.tsx";

const EVERY = 4000;

export function MemberOverview() {
  const failed = useLive("my failed jobs", (signal) => call("GET /v1/jobs", { query: { status: ["failed"], limit: 10 }, signal }), EVERY);
  const latest = useLive("my latest jobs", (signal) => call("GET /v1/jobs", { query: { limit: 20 }, signal }), EVERY);
  return (
    <Screen title="Overview" sub="Your jobs">
      <Panel title="Failed" actions={<a href={href(["jobs"], { status: "failed" })}>All of them</a>} flush>
        <Shown live={failed} rows={3}>
          {({ items }) => (items.length ? <JobTable jobs={items} /> : <Empty title="None of your jobs failed" />)}
        </Shown>
      </Panel>
      <Panel title="Latest" actions={<a href={href(["jobs"])}>All jobs</a>} flush>
        <Shown live={latest} rows={6}>
          {({ items }) => (items.length ? <JobTable jobs={items} /> : <Empty title="You have no jobs yet">Submit one from <a href="#/types">Types</a>.</Empty>)}
        </Shown>
      </Panel>
    </Screen>
  );
}
