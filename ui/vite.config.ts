import { defineConfig } from "vite";

// Relative, for a gateway may serve the API below a path; the page itself is /ui, so its assets are beside it.
export default defineConfig({
  base: "./",
  publicDir: false,
  build: {
    outDir: "../functions/api/ui/built",
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
