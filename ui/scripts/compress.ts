// Replaces each built file by its compressed forms: those are what is deployed, and what browsers ask for.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const folder = `${import.meta.dirname}/../../functions/api/ui/built`;
const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
for (const { parentPath, name } of files) {
  const file = `${parentPath}/${name}`;
  if (/\.(br|gz)$/.test(name)) continue;
  const content = readFileSync(file);
  const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
  writeFileSync(`${file}.br`, brotliCompressSync(content, { params }));
  writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }));
  rmSync(file);
}
