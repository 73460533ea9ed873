// The ways back from the window, each alone: a webhook, the server's poll, its socket, the window's
// own word; and windows that look closed, or speak for somebody else.
import type { Page } from "@playwright/test";
import type { Installation } from "./servers";
import { allow, button, closed, enter, expect, mark, open, opens, row, test, unmoved, word } from "./support";

const gmail = (page: Page) => row(page, "Gmail");

/** What the page asks of the server about its attempt. */
function asked(page: Page) {
  const calls: string[] = [];
  page.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.endsWith("/finish")) calls.push(pathname);
  });
  return calls;
}

/** Opens Gmail's window as far as the consent page. */
async function ask(page: Page) {
  const popup = await opens(page, button(gmail(page), "Connect Gmail"));
  await expect(button(popup, "Allow")).toBeVisible();
  return popup;
}

/** The window can't speak to its page any more. */
async function silence(popup: Page) {
  await popup.evaluate(() => void (window.opener = null));
}

test("a webhook that comes before the window's own answer", async ({ page, installation, guard }) => {
  guard.expectUnclosable();
  const at = await installation({ webhooks: true });
  await enter(page, at);
  await mark(page);
  const calls = asked(page);
  // The socket is silent, and the window's answer is a long time coming.
  await at.fault({ drop_websocket: true });
  await at.fault({ answer_after_ms: 20_000, path_prefix: "/oauth/callback" });
  const popup = await ask(page);
  await button(popup, "Allow").click({ noWaitAfter: true });
  await expect(word(page, "Gmail")).toHaveText("Connected", { timeout: 15_000 });
  expect(calls).toEqual([]);
  const { deliveries } = await at.call("GET", "/sandbox/control/deliveries");
  expect(deliveries).toMatchObject([{ type: "auth", operation: "creation", success: true, status: 200 }]);
  await closed(popup);
  await unmoved(page);
  await open(page, `${at.url}/connectors`);
  await expect(word(page, "Gmail")).toHaveText("Connected");
  expect(await at.atNango()).toHaveLength(1);
});

test("no webhook, no socket, no word from the window: the poll finds it", async ({ page, installation }) => {
  const at = await installation();
  await enter(page, at);
  await mark(page);
  const calls = asked(page);
  await at.fault({ drop_websocket: true });
  const popup = await ask(page);
  await silence(popup);
  await allow(popup);
  await expect(word(page, "Gmail")).toHaveText("Connected", { timeout: 20_000 });
  expect(calls).toEqual([]);
  await unmoved(page);
});

test("the socket alone tells a denial", async ({ page, person: _, guard }) => {
  guard.expectStatus(400);
  guard.expectDisowned();
  await open(page);
  const calls = asked(page);
  const popup = await ask(page);
  await silence(popup);
  await button(popup, "Deny").click();
  await expect(word(page, "Gmail")).toHaveText("Not connected");
  await expect(gmail(page)).toContainText("Access was not allowed.");
  expect(calls).toEqual([]);
});

test.describe("a page that severs its opener", () => {
  /** The window reads as closed while the person signs in: that is a question, no more. */
  async function severed(page: Page, at: Installation) {
    await at.fault({ coop: true });
    await enter(page, at);
    await mark(page);
    const popup = await ask(page);
    expect(await popup.evaluate(() => window.opener)).toBeNull();
    await expect(gmail(page)).toContainText("Still signing in?");
    await expect(word(page, "Gmail")).toHaveText("Pending");
    await expect(gmail(page)).not.toContainText(/cancelled|closed|failed/i);
    expect(popup.isClosed()).toBe(false);
    return popup;
  }

  test("Allow still connects", async ({ page, installation, guard }) => {
    guard.expectUnclosable();
    const popup = await severed(page, await installation());
    await allow(popup);
    await expect(word(page, "Gmail")).toHaveText("Connected");
    await expect(gmail(page)).not.toContainText("Still signing in?");
    await unmoved(page);
  });

  test("Deny still ends it", async ({ page, installation, guard }) => {
    guard.expectStatus(400);
    const popup = await severed(page, await installation());
    await button(popup, "Deny").click();
    await expect(word(page, "Gmail")).toHaveText("Not connected");
    await expect(gmail(page)).toContainText("Access was not allowed.");
    await unmoved(page);
  });
});

test.describe("the window's own word", () => {
  const denial = {
    type: "nango_oauth_callback_error",
    payload: { errorType: "connection_validation_failed", message: '{"error":"access_denied"}' },
  };

  /** Says it to the opener, from wherever the window is now. */
  async function say(popup: Page) {
    await popup.evaluate((words) => window.opener.postMessage(words, "*"), denial);
  }

  /** As a link in the window would: an address typed into it would cut it off from its opener. */
  async function go(popup: Page, url: string) {
    await Promise.all([popup.waitForURL(url), popup.evaluate((url) => void (location.href = url), url)]);
  }

  async function heard(page: Page) {
    await page.evaluate(() => {
      Object.assign(window, { origins: [] });
      window.addEventListener("message", (event) => (window as unknown as { origins: string[] }).origins.push(event.origin));
    });
    return () => page.evaluate(() => (window as unknown as { origins: string[] }).origins);
  }

  test("a denial counts from Nango's origin, and from no other", async ({ page, context, installation }) => {
    const at = await installation();
    await enter(page, at);
    await at.fault({ drop_websocket: true });
    const popup = await ask(page);
    const origins = await heard(page);
    const calls = asked(page);
    await context.route("http://elsewhere.example/**", (route) =>
      route.fulfill({ contentType: "text/html", body: "<title>Elsewhere</title>" }),
    );
    await go(popup, "http://elsewhere.example/");
    await say(popup);
    await expect.poll(origins).toEqual(["http://elsewhere.example"]);
    await expect(word(page, "Gmail")).toHaveText("Pending");
    expect(calls).toEqual([]);

    await go(popup, `${at.nango}/sandbox`);
    await say(popup);
    await expect(word(page, "Gmail")).toHaveText("Not connected");
    await expect(gmail(page)).toContainText("Access was not allowed.");
    expect(calls).toHaveLength(1);
  });

  test("a denial without a socket, also after a reload", async ({ page, installation, guard }) => {
    guard.expectStatus(400);
    const at = await installation();
    await enter(page, at);
    await at.fault({ drop_websocket: true });
    const popup = await ask(page);
    await button(popup, "Deny").click();
    await expect(word(page, "Gmail")).toHaveText("Not connected");

    const next = await ask(page);
    await open(page, `${at.url}/connectors`);
    await button(gmail(page), "Open window Gmail").click();
    await expect(gmail(page)).toContainText("Sign in in the other window.");
    const origins = await heard(page);
    await button(next, "Deny").click();
    await expect.poll(origins).toEqual([at.nango]);
    await expect(word(page, "Gmail")).toHaveText("Not connected");
    await expect(gmail(page)).toContainText("Access was not allowed.");
  });

  test("a success that is only claimed is asked after, and not believed", async ({ page, installation }) => {
    const at = await installation();
    await enter(page, at);
    await at.fault({ drop_websocket: true });
    const popup = await ask(page);
    await go(popup, `${at.nango}/sandbox`);
    await popup.evaluate(() => window.opener.postMessage({ type: "nango_oauth_callback_success" }, "*"));
    await expect(gmail(page)).toContainText("Nothing has arrived yet.");
    await expect(word(page, "Gmail")).toHaveText("Pending");
  });
});
