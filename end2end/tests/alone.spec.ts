// What the binary sends from an empty folder: every file that a page names, in each encoding that the
// build made, with a tag by which a browser keeps it.
import { existsSync, readFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { resolve } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { expect, test } from "./support";

const FOR_EVER = "public, max-age=31536000, immutable";

/** As it comes over the line: neither fetch nor a browser would leave it packed. */
function get(url: string, headers: Record<string, string> = {}) {
  return new Promise<IncomingMessage & { body: Buffer }>((done, failed) => {
    const asked = request(url, { headers }, (answer) => {
      const parts: Buffer[] = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("error", failed);
      answer.on("end", () => done(Object.assign(answer, { body: Buffer.concat(parts) })));
    });
    asked.on("error", failed);
    asked.end();
  });
}

test("every file of a page comes packed, tagged, and to be kept for ever", async ({ person, site }) => {
  const page = await (await person.context.request.get(`${site.url}/connectors`)).text();
  const named = page.match(/\/(?:assets|icons)\/[\w./-]+\.\w+/g) ?? [];
  const files = [...new Set(named)];
  for (const ending of ["patchbay.js", "patchbay.wasm", "patchbay.css", ".svg", ".css"]) {
    expect(files.some((file) => file.endsWith(ending)), `${ending} among ${files}`).toBe(true);
  }
  for (const file of [...files, "/favicon.svg"]) {
    const plain = await get(site.url + file, { "accept-encoding": "identity" });
    expect(plain.statusCode, file).toBe(200);
    expect(plain.headers["content-encoding"], file).toBeUndefined();
    const tags = new Set([plain.headers.etag]);
    for (const [encoding, unpack] of [["br", brotliDecompressSync], ["gzip", gunzipSync]] as const) {
      const packed = await get(site.url + file, { "accept-encoding": encoding });
      expect(packed.headers["content-encoding"], `${file}, ${encoding}`).toBe(encoding);
      expect(Number(packed.headers["content-length"]), "its length is known").toBe(packed.body.length);
      expect(packed.body.length, file).toBeLessThan(plain.body.length);
      expect(unpack(packed.body).equals(plain.body), `${file}, ${encoding}`).toBe(true);
      tags.add(packed.headers.etag);
    }
    expect(tags.size, `${file}: a tag for each form`).toBe(3);
    for (const tag of tags) expect(tag, file).toMatch(/^"[0-9a-f]{24}"$/);
    const cache = file === "/favicon.svg" ? "public, max-age=86400" : FOR_EVER;
    const headers = { "accept-encoding": "br" };
    const first = await get(site.url + file, headers);
    expect(first.headers["cache-control"], file).toBe(cache);
    expect(first.headers.vary, file).toContain("accept-encoding");
    const known = await get(site.url + file, { ...headers, "if-none-match": `"x", W/${first.headers.etag}` });
    expect([known.statusCode, known.body.length], file).toEqual([304, 0]);
    expect(known.headers["cache-control"], file).toBe(cache);
    // It is what the build made.
    const built = resolve(import.meta.dirname, "../../target/site", file.replace(/^\/assets\/[^/]+\/|^\//, ""));
    if (!file.startsWith("/icons/") && existsSync(built)) {
      expect(readFileSync(built).equals(plain.body), built).toBe(true);
    }
  }
  const old = files.find((file) => file.endsWith("patchbay.js"))!.replace(/[0-9a-f]{12}/, "0123456789ab");
  const after = await get(site.url + old);
  expect([after.statusCode, after.headers["cache-control"]]).toEqual([200, "no-cache"]);
});
