import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

const BUILT = `${import.meta.dirname}/../functions/api/ui/built`;

/** Replaces each built file by its compressed forms: those are deployed, and browsers ask for them. */
function compressed(): Plugin {
  return {
    name: "compressed",
    closeBundle() {
      const files = readdirSync(BUILT, { recursive: true, withFileTypes: true }).filter((each) => each.isFile() && !/\.(br|gz)$/.test(each.name));
      for (const { parentPath, name } of files) {
        const file = `${parentPath}/${name}`;
        const content = readFileSync(file);
        writeFileSync(`${file}.br`, brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } }));
        writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }));
        rmSync(file);
      }
    },
  };
}

// Links are relative, for a gateway may serve the API below a path; the page itself is /ui, so its assets are beside it.
export default defineConfig({
  base: "./",
  publicDir: false,
  plugins: [compressed()],
  build: {
    outDir: BUILT,
    emptyOutDir: true,
    assetsInlineLimit: 0,
    target: ["chrome123", "firefox128", "safari18"],
    cssTarget: ["chrome123", "firefox128", "safari18"],
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  experimental: {
    renderBuiltUrl: (file, { hostType }) => (hostType === "html" ? `ui/${file}` : { relative: true }),
  },
});
