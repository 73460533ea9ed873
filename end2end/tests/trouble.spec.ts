// When something is switched off, wrong or away: said in the page, with the rest still working.
import type { Page } from "@playwright/test";
import { fixtures, type Installation } from "./servers";
import { activate, allow, arrange, button, connect, enter, expect, open, opens, row, test, word } from "./support";

/** The rest of the page: search, details. */
async function restWorks(page: Page) {
  const search = page.getByRole("searchbox", { name: "Search connectors" });
  await search.fill("gmail");
  await expect(page.locator("tbody").getByRole("row")).toHaveCount(1);
  await row(page, "Gmail").getByRole("link", { name: "View Gmail" }).click();
  await expect(page.getByRole("dialog")).toContainText("It will be able to");
  await page.keyboard.press("Escape");
  await search.fill("");
  await expect(page.locator("tbody").getByRole("row")).toHaveCount(99);
}

/** The banner says it, and Connect leads to the reason instead of a window. */
async function connectingIsOff(page: Page, words: string) {
  await expect(page.getByRole("status").filter({ hasText: words })).toBeVisible();
  const connect = button(row(page, "Gmail"), "Connect Gmail");
  await expect(connect).toHaveAttribute("aria-disabled", "true");
  await activate(connect);
  await expect(page.getByRole("dialog").getByText(words)).toBeVisible();
  await expect(button(page.getByRole("dialog"), "Connect Gmail")).toHaveAttribute("aria-disabled", "true");
  await page.keyboard.press("Escape");
  expect(page.context().pages()).toHaveLength(1);
}

test("NANGO_ENABLED=false", async ({ page, installation }) => {
  await enter(page, await installation({ server: { NANGO_ENABLED: "false" } }));
  await connectingIsOff(page, "Connecting is switched off on this server.");
  await restWorks(page);
});

test("a wrong NANGO_SECRET_KEY", async ({ page, installation }) => {
  const at = await installation({ server: { NANGO_SECRET_KEY: "00000000-0000-4000-8000-000000000000" } });
  const words = "Connecting is off: Nango refuses this server's secret key.";
  await enter(page, at);
  await expect(async () => {
    await open(page, `${at.url}/connectors`);
    await expect(page.getByText(words).first()).toBeVisible({ timeout: 500 });
  }).toPass();
  await connectingIsOff(page, words);
  await restWorks(page);
});

test("no key on a public address: the demo user is not offered", async ({ page, installation, guard }) => {
  const at = await installation({ server: { NANGO_SECRET_KEY: "", PUBLIC_URL: "https://app.example" } });
  await page.goto(`${at.url}/connectors`);
  await expect(page).toHaveURL(/\/sign-in/);
  await expect(page.getByRole("button", { name: "Sign in", exact: true })).toBeVisible();
  await expect(page.getByRole("button")).toHaveCount(1);
  guard.expectStatus(401, 403, 404);
  const answer = await page.request.post(`${at.url}/sign-in/demo`, {
    form: { name: "mallory" },
    headers: { origin: at.url },
    maxRedirects: 0,
  });
  expect([401, 403, 404]).toContain(answer.status());
});

test("no key on this computer: the sandbox, and it says so on every page", async ({ page, installation }) => {
  const at = await installation({ server: { NANGO_SECRET_KEY: "", NANGO_BASE_URL: "", SANDBOX_LISTEN_ADDR: "127.0.0.1:0" } });
  await enter(page, at);
  for (const path of ["/connectors", "/connectors/gmail"]) {
    await page.goto(at.url + path);
    await expect(page.getByText("Sandbox: accounts here are pretend.")).toBeVisible();
  }
  await open(page, `${at.url}/connectors`);
  await connect(page, "Gmail");
});

test("Nango can't be reached: said at the click, nothing lost, and it comes back", async ({ page, installation, guard }) => {
  guard.expectStatus(500, 502, 503);
  test.setTimeout(60_000);
  const at = await installation();
  await enter(page, at);
  await connect(page, "Slack");
  await at.stopNango();
  const words = "Connecting does not work right now: Nango cannot be reached.";

  const popup = await opens(page, button(row(page, "Gmail"), "Connect Gmail"));
  await expect(row(page, "Gmail")).toContainText(words);
  await expect(page.getByRole("alert").filter({ hasText: words })).toHaveCount(1);
  await expect.poll(() => popup.isClosed()).toBe(true);
  await expect(word(page, "Gmail")).toHaveText("Not connected");

  await button(row(page, "Slack"), "Disconnect Slack").click();
  await button(page.getByRole("dialog"), "Disconnect").click();
  await expect(row(page, "Slack")).toContainText("Nango cannot be reached.");
  await expect(word(page, "Slack")).toHaveText("Connected");
  await restWorks(page);
  await open(page, `${at.url}/connectors`);
  await expect(page.getByRole("status").filter({ hasText: words })).toBeVisible();
  await expect(word(page, "Slack")).toHaveText("Connected");

  await at.startNango();
  await expect(async () => {
    await open(page, `${at.url}/connectors`);
    await expect(page.getByText(words)).toHaveCount(0, { timeout: 500 });
  }).toPass({ timeout: 20_000 });
  await connect(page, "Gmail");
  await expect(word(page, "Slack")).toHaveText("Connected");
});

test("Nango stumbles once: said at the click, and the next click works", async ({ page, installation, guard }) => {
  guard.expectStatus(500, 502, 503);
  const at = await installation();
  await enter(page, at);
  await at.call("POST", "/sandbox/control/faults", { status: 500, path_prefix: "/connect/sessions", count: 10 });
  const popup = await opens(page, button(row(page, "Gmail"), "Connect Gmail"));
  await expect(row(page, "Gmail")).toContainText("Nango had a failure of its own.");
  await expect.poll(() => popup.isClosed()).toBe(true);
  await at.call("DELETE", "/sandbox/control/faults");
  await connect(page, "Gmail");
  await expect(row(page, "Gmail")).not.toContainText("failure of its own");
});

test("an integration that Nango does not have", async ({ page, installation }) => {
  const at = await installation({
    before: async (it) => void (await it.call("DELETE", "/sandbox/control/integrations/google-mail")),
  });
  await enter(page, at);
  const words = "This connector is not set up in Nango yet.";
  await expect(async () => {
    await open(page, `${at.url}/connectors`);
    await expect(row(page, "Gmail")).toContainText(words, { timeout: 500 });
  }).toPass();
  await expect(button(row(page, "Gmail"), "Connect Gmail")).toHaveAttribute("aria-disabled", "true");
  await activate(button(row(page, "Gmail"), "Connect Gmail"));
  await expect(page.getByRole("dialog").getByText(words)).toBeVisible();
  await page.keyboard.press("Escape");
  await connect(page, "Slack");
});

test("an integration that is removed while the page is open", async ({ page, installation, guard }) => {
  guard.expectStatus(400, 409, 500, 502);
  const at = await installation();
  await enter(page, at);
  await at.call("DELETE", "/sandbox/control/integrations/google-mail");
  const popup = await opens(page, button(row(page, "Gmail"), "Connect Gmail"));
  await expect(row(page, "Gmail")).toContainText("This connector is not set up in Nango yet.");
  await expect.poll(() => popup.isClosed()).toBe(true);
  await connect(page, "Slack");
});

test("a connector that its manifest switches off", async ({ page, installation }) => {
  const at = await installation({ manifests: fixtures });
  await enter(page, at);
  const off = row(page, "Switched Off");
  const connect = button(off, "Connect Switched Off");
  await expect(connect).toHaveAttribute("aria-disabled", "true");
  await expect(off).toContainText("switched off here");
  await activate(connect);
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("switched off here");
  await expect(button(dialog, "Connect Switched Off")).toHaveAttribute("aria-disabled", "true");
  await activate(button(dialog, "Connect Switched Off"));
  await page.keyboard.press("Escape");
  await expect(word(page, "Switched Off")).toHaveText("Not connected");
  expect(page.context().pages()).toHaveLength(1);
});

test("a server that restarts leaves the page usable", async ({ page, context, installation, guard }) => {
  guard.expectStatus(500, 502, 503);
  const at = await installation();
  await enter(page, at);
  await arrange(context, at.url, "slack");
  await expect(word(page, "Slack")).toHaveText("Connected");
  const popup = await opens(page, button(row(page, "Gmail"), "Connect Gmail"));
  await expect(button(popup, "Allow")).toBeVisible();
  // The browser's own lines about a line that was cut.
  guard.expectCut();
  await at.restartServer();
  await allow(popup);
  await expect(word(page, "Gmail")).toHaveText("Connected", { timeout: 20_000 });
});
