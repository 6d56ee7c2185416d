// On the local stack: loads the page again when it was built anew. Where nobody changes it, it is asked for once.

const EVERY = 1500;
const BUILD = new URL("ui/build", document.baseURI);

export async function reloadWhenRebuilt(): Promise<void> {
  const shown = await build();
  if (!shown) return;
  setInterval(async () => {
    if (document.hidden) return;
    const served = await build();
    if (served && served !== shown) location.reload();
  }, EVERY);
}

/** The build that is served; "" while there is none, or no answer. */
async function build(): Promise<string> {
  try {
    const response = await fetch(BUILD, { cache: "no-store" });
    return response.ok ? await response.text() : "";
  } catch {
    return "";
  }
}
