// Signing in by OpenID Connect, with a real provider (npm's oidc-provider) and a person who types,
// refuses, goes back, and comes at the wrong time.
import type { Page } from "@playwright/test";
import { type ChildProcess, spawn } from "node:child_process";
import { resolve } from "node:path";
import { type Installation, freePort } from "./servers";
import { expect, test as common } from "./support";

/** The provider, as a process of its own. */
class Corp {
  private child?: ChildProcess;
  private text = "";

  constructor(readonly port: number) {}

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(origin: string) {
    const script = resolve(import.meta.dirname, "oidc-provider.mjs");
    this.child = spawn(process.execPath, [script, String(this.port), origin]);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on("data", (data) => (this.text += data));
    }
    const end = Date.now() + 15_000;
    for (;;) {
      const answer = await fetch(`${this.url}/.well-known/openid-configuration`).catch(() => undefined);
      if (answer?.ok) return;
      if (Date.now() > end) throw new Error(`the provider does not answer:\n${this.text}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  async control(wish: { skew?: number; rotate?: boolean }) {
    await fetch(`${this.url}/control`, { method: "POST", body: JSON.stringify(wish) });
  }

  async stop() {
    const child = this.child;
    if (!child || child.exitCode !== null) return;
    const gone = new Promise((done) => child.once("exit", done));
    child.kill("SIGKILL");
    await gone;
  }
}

const test = common.extend<{ corp: Corp; here: Installation }>({
  corp: async ({}, use) => {
    const corp = new Corp(await freePort());
    await use(corp);
    await corp.stop();
  },
  here: async ({ installation, corp }, use) => {
    const here = await installation({
      server: {
        OIDC_PROVIDERS: "corp",
        OIDC_CORP_ISSUER: corp.url,
        OIDC_CORP_CLIENT_ID: "patchbay",
        OIDC_CORP_CLIENT_SECRET: "the-secret-of-the-browser-tests",
        OIDC_CORP_NAME: "Northwind",
      },
      before: (self) => corp.start(self.url),
    });
    await use(here);
  },
});

/** Follows the link of the sign-in page to the provider. */
async function leave(page: Page, here: Installation) {
  await page.goto(`${here.url}/sign-in/oidc/corp?next=%2Fconnectors%3Fq%3Dgmail`);
  await expect(page.getByRole("heading", { name: "Northwind" })).toBeVisible();
}

async function allow(page: Page, login = "ada") {
  await page.getByLabel("Login").fill(login);
  await page.getByRole("button", { name: "Allow" }).click();
}

async function inside(page: Page, here: Installation, name = "ada of Northwind") {
  await expect(page).toHaveURL(`${here.url}/connectors?q=gmail`);
  // In the menu that is closed.
  await expect(page.getByText(name).first()).toBeAttached();
}

/** The sign-in page says this, with a reference that the log has too, and nobody is in. */
async function outside(page: Page, here: Installation, said: RegExp) {
  await expect(page).toHaveURL(`${here.url}/sign-in`);
  const alert = page.getByRole("alert");
  await expect(alert).toContainText(said);
  const [, reference] = /\(Reference ([0-9A-Z]{4}-[0-9A-Z]{4})\)/.exec((await alert.textContent()) ?? "") ?? [];
  expect(reference).toBeTruthy();
  expect(here.log(400)).toContain(reference);
  const answer = await page.request.get(`${here.url}/api/v1/connections`);
  expect(answer.status()).toBe(401);
}

/** The address that the provider sends the browser back to, once it does. */
function comesBack(page: Page, here: Installation) {
  return page.waitForRequest((request) => request.url().startsWith(`${here.url}/sign-in/oidc/corp/callback?`));
}

test("a person signs in, and is the same person the next time", async ({ page, browser, here }) => {
  await leave(page, here);
  await allow(page);
  await inside(page, here);
  const again = await browser.newPage();
  await leave(again, here);
  await allow(again);
  await inside(again, here);
  await page.goto(`${here.url}/sign-in`);
  await expect(page).toHaveURL(`${here.url}/connectors`);
});

test("whoever refuses is told so, and may think again", async ({ page, here }) => {
  await leave(page, here);
  await page.getByRole("button", { name: "Refuse" }).click();
  await outside(page, here, /Access was not allowed\. Sign in again/);
  await leave(page, here);
  await allow(page);
  await inside(page, here);
});

test("an answer to another question lets nobody in", async ({ page, here }) => {
  const start = await page.request.get(`${here.url}/sign-in/oidc/corp`, { maxRedirects: 0 });
  expect(start.status()).toBe(303);
  const asked = new URL(start.headers().location);
  asked.searchParams.set("nonce", "somebody-elses-nonce");
  await page.goto(asked.href);
  await allow(page);
  await outside(page, here, /The answer of Northwind does not belong to this sign-in\./);
});

test("an answer counts once, and in one browser only", async ({ page, browser, here }) => {
  await leave(page, here);
  const back = comesBack(page, here);
  await allow(page);
  const used = (await back).url();
  await inside(page, here);
  // Whoever is in goes on.
  await page.goto(used);
  await expect(page).toHaveURL(`${here.url}/connectors`);
  await page.goBack();
  await page.goto(used);
  await expect(page).toHaveURL(`${here.url}/connectors`);

  const other = await browser.newPage();
  await other.goto(used);
  await outside(other, here, /not begun here, or it is over already/);
  // The code alone, in a sign-in of the other browser's own.
  const start = await other.request.get(`${here.url}/sign-in/oidc/corp`, { maxRedirects: 0 });
  const state = new URL(start.headers().location).searchParams.get("state") ?? "";
  const forged = new URL(used);
  forged.searchParams.set("state", state);
  await other.goto(forged.href);
  await outside(other, here, /Northwind did not confirm the sign-in\./);
});

test("new keys of the provider are taken over", async ({ page, browser, here, corp }) => {
  await leave(page, here);
  await allow(page);
  await inside(page, here);
  await corp.control({ rotate: true });
  const other = await browser.newPage();
  await leave(other, here);
  await allow(other, "grace");
  await inside(other, here, "grace of Northwind");
});

for (const [when, skew] of [["ahead", 300], ["behind", -1000]] as const) {
  test(`a provider whose clock is ${when} lets nobody in`, async ({ page, here, corp }) => {
    await leave(page, here);
    await corp.control({ skew });
    await allow(page);
    await outside(page, here, /By this server's clock, the answer of Northwind is not valid now\./);
    await corp.control({ skew: 0 });
    // The provider knows the person by now, and asks nothing.
    await page.goto(`${here.url}/sign-in/oidc/corp?next=%2Fconnectors%3Fq%3Dgmail`);
    await inside(page, here);
  });
}
