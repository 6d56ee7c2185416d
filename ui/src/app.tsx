// The frame of all screens: who is signed in, where one can go, and what is shown.

import { useEffect, useRef, useState } from "preact/hooks";
import type { UserView } from "../generated/schema.ts";
import { call } from "./api/client.ts";
import { onSession, session, signIn, signOut } from "./api/session.ts";
import { currentNotices, dismiss, onNotices } from "./live/notices.ts";
import { forgetEverything, useLive } from "./live/use_live.ts";
import { useStore } from "./live/use_now.ts";
import { go, useRoute } from "./live/use_route.ts";
import { Keys, useKeys } from "./keys.tsx";
import { Button } from "./parts/basics.tsx";
import { Screen } from "./parts/frame.tsx";
import { Empty, Failure, Loading } from "./parts/states.tsx";
import type { Route } from "./pure/route.ts";
import { JobScreen } from "./screens/job.tsx";
import { JobsScreen } from "./screens/jobs.tsx";
import { LanesScreen } from "./screens/lanes.tsx";
import { OverviewScreen } from "./screens/overview.tsx";
import { SchedulesScreen } from "./screens/schedules.tsx";
import { TypesScreen } from "./screens/types.tsx";
import { UsersScreen } from "./screens/users.tsx";
import { WebhooksScreen } from "./screens/webhooks.tsx";
import { ThemeChoice } from "./theme.tsx";

export interface Place {
  path: string;
  name: string;
  key: string;
  admin: boolean;
}

export const PLACES: Place[] = [
  { path: "", name: "Overview", key: "o", admin: false },
  { path: "jobs", name: "Jobs", key: "j", admin: false },
  { path: "types", name: "Types", key: "t", admin: false },
  { path: "schedules", name: "Schedules", key: "s", admin: false },
  { path: "lanes", name: "Lanes", key: "l", admin: true },
  { path: "webhooks", name: "Webhooks", key: "w", admin: true },
  { path: "users", name: "Users", key: "u", admin: true },
];

export function App() {
  const known = useStore(session, onSession);
  switch (known.state) {
    case "starting":
      return <Door />;
    case "out":
      return <Door why={known.why} canSignIn={known.canSignIn} />;
    case "in":
      return <SignedIn />;
  }
}

/** What somebody sees who is not signed in. */
function Door({ why, canSignIn = false }: { why?: string; canSignIn?: boolean }) {
  useEffect(forgetEverything, []);
  return (
    <main class="door">
      <Mark />
      <h1>Headrace</h1>
      {why === undefined ? <p class="muted">Signing in…</p> : <p>{why}</p>}
      {canSignIn ? (
        <Button kind="primary" onClick={() => void signIn()}>
          Sign in
        </Button>
      ) : null}
    </main>
  );
}

function SignedIn() {
  const me = useLive("me", (signal) => call("GET /v1/users/me", { signal }));
  if (!me.data) {
    return <main class="door">{me.error ? <Failure error={me.error} retry={me.refresh} /> : <Loading rows={1} />}</main>;
  }
  return <Shell me={me.data} />;
}

function Shell({ me }: { me: UserView }) {
  const route = useRoute();
  const [open, setOpen] = useState(false);
  const main = useRef<HTMLElement>(null);
  const places = PLACES.filter((place) => !place.admin || me.role === "admin");
  const [help, setHelp] = useKeys(places);
  const where = route.path.join("/");
  useEffect(() => {
    setOpen(false);
    const title = main.current?.querySelector<HTMLElement>("h1");
    document.title = `${title?.textContent ?? "Headrace"} · Headrace`;
    window.scrollTo(0, 0);
  }, [where]);
  return (
    <div class="shell">
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        Skip to the content
      </a>
      <header class={`side ${open ? "side-open" : ""}`}>
        <div class="brand">
          <a href="#/">
            <Mark /> Headrace
          </a>
          <button type="button" class="menu" aria-expanded={open} aria-controls="menu" onClick={() => setOpen(!open)}>
            Menu
          </button>
        </div>
        <div id="menu" class="side-rest">
          <nav aria-label="Screens">
            {places.map((place) => (
              <a key={place.path} href={`#/${place.path}`} aria-current={(route.path[0] ?? "") === place.path ? "page" : undefined}>
                {place.name}
              </a>
            ))}
          </nav>
          <div class="who">
            <p class="who-name" title={me.email}>
              {me.email}
            </p>
            <p class="muted small">{me.role}</p>
            <ThemeChoice />
            <div class="who-links">
              <button type="button" class="textual" onClick={() => setHelp(true)}>
                Keys
              </button>
              <a class="textual" href="docs">
                API
              </a>
              <button type="button" class="textual" onClick={() => void signOut()}>
                Sign out
              </button>
            </div>
          </div>
        </div>
      </header>
      <main ref={main} id="main" tabIndex={-1} data-route={location.hash}>
        <ScreenOf route={route} me={me} />
      </main>
      <Notices />
      {help ? <Keys places={places} onClose={() => setHelp(false)} /> : null}
    </div>
  );
}

function ScreenOf({ route, me }: { route: Route; me: UserView }) {
  const [first = "", second] = route.path;
  const place = PLACES.find((each) => each.path === first);
  if (!place) {
    return (
      <Screen title="Not found">
        <Empty title="There is no such screen" />
      </Screen>
    );
  }
  if (place.admin && me.role !== "admin") {
    return (
      <Screen title={place.name}>
        <Empty title="Admins only">
          <p>{place.name} are shown to admins. An admin can make you one.</p>
          <Button onClick={() => go([])}>Overview</Button>
        </Empty>
      </Screen>
    );
  }
  switch (first) {
    case "jobs":
      return second ? <JobScreen key={second} id={second} /> : <JobsScreen me={me} query={route.query} />;
    case "types":
      return <TypesScreen me={me} name={second} />;
    case "schedules":
      return <SchedulesScreen me={me} query={route.query} />;
    case "lanes":
      return <LanesScreen />;
    case "webhooks":
      return <WebhooksScreen id={second} />;
    case "users":
      return <UsersScreen me={me} query={route.query} />;
    default:
      return <OverviewScreen me={me} query={route.query} />;
  }
}

function Notices() {
  const notices = useStore(currentNotices, onNotices);
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.map((notice) => (
        <div key={notice.id} class={`notice notice-${notice.kind}`}>
          <span>{notice.text}</span>
          <button type="button" class="copy close" aria-label="Dismiss" onClick={() => dismiss(notice.id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  );
}

/** Water in its channel, and the wheel that it drives. */
function Mark() {
  return (
    <svg class="mark" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
      <path d="M1 6c3-2.5 5-2.5 8 0s5 2.5 8 0" />
      <path d="M1 11c2.6-2 4.4-2 7 0" />
      <circle cx="16" cy="15.5" r="5.5" />
      <path d="M16 10v11M10.5 15.5h11" />
    </svg>
  );
}
