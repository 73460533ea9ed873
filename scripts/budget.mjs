// What a browser loads for the catalogue page: WASM, JavaScript and CSS, brotli-compressed as the
// server sends them. Fails above the budget.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";

const BUDGET = 110_000;
const FOLDER = "target/site/pkg";

let total = 0;
for (const name of ["patchbay.wasm", "patchbay.js", "patchbay.css"]) {
  const file = `${FOLDER}/${name}`;
  const raw = readFileSync(file);
  count(name, raw, existsSync(`${file}.br`) ? readFileSync(`${file}.br`) : compress(raw, 11));
}
// The brands' colours: a sheet that the server makes and compresses itself, once.
const manifests = readdirSync("manifests").filter((name) => name !== "schema.json");
const brands = manifests
  .map((name) => JSON.parse(readFileSync(`manifests/${name}`, "utf8")))
  .filter((manifest) => manifest.icon.color)
  .map((manifest) => `[data-brand="${manifest.slug}"]{--brand:${manifest.icon.color}}`);
count("brands.css", Buffer.from(brands.join("")), compress(brands.join(""), 9));
console.log(`${"total".padEnd(16)}${" ".repeat(15)}${kb(total)} brotli, budget ${kb(BUDGET)}`);
if (total > BUDGET) {
  console.error(`over the budget by ${kb(total - BUDGET).trim()}`);
  process.exit(1);
}

function compress(raw, quality) {
  return brotliCompressSync(raw, { params: { [constants.BROTLI_PARAM_QUALITY]: quality } });
}

function count(name, raw, compressed) {
  total += compressed.length;
  console.log(`${name.padEnd(16)}${kb(raw.length)} raw ${kb(compressed.length)} brotli`);
}

function kb(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`.padStart(10);
}
