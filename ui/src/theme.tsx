// Light, dark, or as the system is. The choice is the only thing that this page stores in the browser for longer.

import { useState } from "preact/hooks";
import { Choice } from "./parts/frame.tsx";

type Theme = "auto" | "light" | "dark";

const NAME = "headrace.theme";

function stored(): Theme {
  try {
    const found = localStorage.getItem(NAME);
    return found === "light" || found === "dark" ? found : "auto";
  } catch {
    return "auto";
  }
}

function apply(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
}

apply(stored());

export function ThemeChoice() {
  const [theme, setTheme] = useState(stored);
  const choose = (next: Theme) => {
    setTheme(next);
    apply(next);
    try {
      localStorage.setItem(NAME, next);
    } catch {
      // It lasts as long as the page.
    }
  };
  return (
    <Choice
      label="Theme"
      value={theme}
      options={[
        ["auto", "Auto"],
        ["light", "Light"],
        ["dark", "Dark"],
      ]}
      onChange={choose}
    />
  );
}
