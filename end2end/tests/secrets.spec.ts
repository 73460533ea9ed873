// What reaches a browser: nothing in it is secret. The built files are searched too; they are the same
// for everybody, so what must not be in them is what any installation keeps to itself.
import { readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { alive, allow, button, connect, enter, expect, opens, row, test, word } from "./support";

const pkg = resolve(import.meta.dirname, "../../target/site/pkg");

test("the built files hold nothing of the server", () => {
  const names = readdirSync(pkg).filter((name) => /\.(wasm|js|css)(\.br)?$/.test(name));
  expect(names.some((name) => name.endsWith(".wasm"))).toBe(true);
  for (const name of names) {
    const raw = readFileSync(join(pkg, name));
    const text = (name.endsWith(".br") ? brotliDecompressSync(raw) : raw).toString("latin1");
    if (name.startsWith("patchbay.wasm")) expect(text, "the search finds what is there").toContain("/api/v1/");
    for (const secret of [
      // The sandbox's own key, and where settings come from.
      "6f0f1f5e-5a4d-4b0c-9e57-2a1d3c4b5a69",
      "NANGO_SECRET_KEY",
      "NANGO_WEBHOOK_SIGNING_KEY",
      "DATABASE_URL",
      "SANDBOX_SECRET_KEY",
      // What only the server has to do with.
      "postgres://",
      "sqlite:",
      "INSERT INTO",
      "SELECT ",
      "hmac",
      "Leptos.toml",
      "__Host-patchbay",
    ]) {
      expect(text.includes(secret), `${secret} in ${name}`).toBe(false);
    }
  }
});

test("nothing that a browser is sent is secret", async ({ page, installation, guard }) => {
  guard.expectStatus(404);
  const ours = await installation({ webhooks: true });
  const bodies: [string, string][] = [];
  const reading: Promise<void>[] = [];
  page.on("response", (answer) => {
    if (!answer.url().startsWith(ours.url) || answer.url().includes("/events")) return;
    const read = answer
      .text()
      .then((text) => void bodies.push([answer.url(), text + JSON.stringify(answer.headers())]))
      // A redirect has no body, and a page that was left none any more.
      .catch(() => {});
    reading.push(read);
  });
  await enter(page, ours);
  await connect(page, "Gmail");
  await row(page, "Resend").getByRole("link", { name: "Resend", exact: true }).click();
  await page.goto(`${ours.url}/connectors/gmail`);
  await page.goto(`${ours.url}/connectors/nobody`);
  await page.goto(`${ours.url}/connectors`);
  // Before that its button is a form's, and opens no window.
  await alive(page);
  const popup = await opens(page, button(row(page, "Slack"), "Connect Slack"));
  await allow(popup);
  await expect(word(page, "Slack")).toHaveText("Connected");
  await Promise.all(reading);
  // The sandbox's stand beside it: cookies know no ports.
  const cookies = await page.context().cookies(ours.url);
  const cookie = cookies.find((cookie) => cookie.name === "patchbay");
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Lax" });
  expect(bodies.length).toBeGreaterThan(8);
  const kept = await page.evaluate(() => [
    document.cookie,
    JSON.stringify({ ...localStorage }),
    JSON.stringify({ ...sessionStorage }),
    document.documentElement.outerHTML,
  ]);
  const seen: [string, string][] = [...bodies, ["the page itself", kept.join("\n")]];
  const secrets = { "Nango's key": ours.key, "the session": cookie.value, ...ours.secrets };
  for (const [name, secret] of Object.entries(secrets)) {
    expect(secret.length, name).toBeGreaterThan(15);
    for (const [url, text] of seen) expect(text.includes(secret), `${name} in ${url}`).toBe(false);
    expect(ours.log(10_000).includes(secret), `${name} in the log`).toBe(false);
  }
});
