import { render } from "preact";
import { isOfThisMachine, start } from "./api/session.ts";
import { App } from "./app.tsx";
import { reloadWhenRebuilt } from "./live/rebuilt.ts";

const root = document.getElementById("app");
// During a gradual deployment two versions answer; a page whose stylesheet is the other version's asks again.
const styled = getComputedStyle(document.documentElement).getPropertyValue("--ground") !== "";
if (!styled) setTimeout(() => location.reload(), 1500);
else if (root) {
  void start().then(() => (isOfThisMachine() ? reloadWhenRebuilt() : undefined));
  render(<App />, root);
}
