// The main job: Gmail from a click to "Connected" and back, and everything that can come between.
import type { Page } from "@playwright/test";
import { manifest } from "./servers";
import { allow, begin, button, closed, connect, expect, open, opens, row, test, word } from "./support";

const gmail = (page: Page) => row(page, "Gmail");
const said = (page: Page, text: string) =>
  page.getByRole("status").filter({ hasText: text });
const alarm = (page: Page, text: string) => page.getByRole("alert").filter({ hasText: text });

test.describe("connecting Gmail", () => {
  test.beforeEach(async ({ page, person: _ }) => open(page));

  test("a click, Allow, and the row says Connected without a reload", async ({ page }) => {
    await page.evaluate(() => {
      const opened: unknown[] = [];
      const real = window.open.bind(window);
      Object.assign(window, { opened });
      window.open = (url, name, features) => {
        opened.push({ url: String(url), features, within: window.event?.type });
        return real(url, name, features);
      };
    });
    await expect(word(page, "Gmail")).toHaveText("Not connected");
    const popup = await opens(page, button(gmail(page), "Connect Gmail"));

    // Empty at first, in the click itself, 500×600 in the middle of the window.
    const calls = await page.evaluate(() => (window as unknown as { opened: object[] }).opened);
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatchObject({ url: "", within: "click" });
    const features = (calls[0] as { features: string }).features;
    expect(features).toContain("width=500,height=600");
    const centre = await page.evaluate(() => [
      window.screenX + (window.outerWidth - 500) / 2,
      window.screenY + (window.outerHeight - 600) / 2,
    ]);
    const [left, top] = ["left", "top"].map((n) => Number(new RegExp(`${n}=(-?\\d+)`).exec(features)?.[1]));
    expect(Math.abs(left - centre[0])).toBeLessThanOrEqual(1);
    expect(Math.abs(top - centre[1])).toBeLessThanOrEqual(1);

    await expect(popup.getByRole("heading")).toHaveText(/access your pretend Gmail account/);
    await expect(said(page, "Connecting Gmail…")).toHaveCount(1);
    await expect(word(page, "Gmail")).toHaveText("Pending");
    await expect(gmail(page)).toContainText("Sign in in the other window.");
    await page.evaluate(() => Object.assign(window, { sameDocument: true }));
    await allow(popup);
    await expect(word(page, "Gmail")).toHaveText("Connected");
    await expect(said(page, "Gmail is connected.")).toHaveCount(1);
    await closed(popup);
    expect(await page.evaluate(() => "sameDocument" in window)).toBe(true);
    await expect(button(gmail(page), "Disconnect Gmail")).toBeVisible();
  });

  test("the details show when it was connected", async ({ page }) => {
    await connect(page, "Gmail");
    await gmail(page).getByRole("link", { name: "View Gmail" }).click();
    const today = new Date().toLocaleDateString("en-GB", {
      day: "numeric",
      month: "short",
      year: "numeric",
      timeZone: "UTC",
    });
    const dialog = page.getByRole("dialog");
    await expect(dialog.getByRole("term")).toHaveText(["Connected", "Last synced"]);
    await expect(dialog.getByRole("definition").first()).toHaveText(today);
    await page.goto("/connectors/gmail");
    await expect(page.getByRole("definition").first()).toHaveText(today);
  });

  test("denied: not connected, with the reason in words", async ({ page, guard }) => {
    guard.expectStatus(400);
    const popup = await opens(page, button(gmail(page), "Connect Gmail"));
    await button(popup, "Deny").click();
    await expect(word(page, "Gmail")).toHaveText("Not connected");
    await expect(gmail(page)).toContainText("Access was not allowed.");
    await expect(alarm(page, "Gmail was not connected: Access was not allowed.")).toHaveCount(1);
    await expect(button(gmail(page), "Connect Gmail")).toBeVisible();
    await page.reload();
    await expect(gmail(page)).toContainText("Access was not allowed.");
  });

  test("denied after an earlier connection: Disconnected, with the reason", async ({ page, guard }) => {
    guard.expectStatus(400);
    await connect(page, "Slack");
    await button(row(page, "Slack"), "Disconnect Slack").click();
    await page.getByRole("dialog").getByRole("button", { name: "Disconnect", exact: true }).click();
    await expect(word(page, "Slack")).toHaveText("Disconnected");
    const popup = await opens(page, button(row(page, "Slack"), "Connect Slack"));
    await button(popup, "Deny").click();
    await expect(row(page, "Slack")).toContainText("Access was not allowed.");
    await expect(word(page, "Slack")).toHaveText("Disconnected");
  });

  test("a denied reconnect stays connected, and is not called a success", async ({ page, guard }) => {
    guard.expectStatus(400);
    await connect(page, "Gmail");
    await gmail(page).getByRole("link", { name: "View Gmail" }).click();
    const dialog = page.getByRole("dialog");
    const popup = await opens(page, button(dialog, "Reconnect Gmail"));
    await button(popup, "Deny").click();
    await expect(dialog).toContainText("Gmail was not reconnected: Access was not allowed.");
    await expect(dialog.locator(".status .word")).toHaveText("Connected");
    await expect(button(dialog, "Reconnect Gmail")).toBeEnabled();
  });

  test("a failed exchange is an error that one can repair", async ({ page, guard }) => {
    guard.expectStatus(400);
    const popup = await opens(page, button(gmail(page), "Connect Gmail"));
    await allow(popup, "wrong@northwind.example");
    await expect(word(page, "Gmail")).toHaveText("Error");
    await expect(gmail(page)).toContainText("refused the final step");
    const again = await opens(page, button(gmail(page), "Reconnect Gmail"));
    await allow(again);
    await expect(word(page, "Gmail")).toHaveText("Connected");
    await expect(gmail(page)).not.toContainText("refused the final step");
  });

  test("closed window: a question, and “I've finished” after finishing elsewhere", async ({
    page,
    context,
    site,
    guard,
  }) => {
    guard.expectUnclosable();
    // Without the socket only the poll and the button can tell.
    await site.call("POST", "/sandbox/control/faults", { drop_websocket: true });
    const popup = await opens(page, button(gmail(page), "Connect Gmail"));
    await expect(button(popup, "Allow")).toBeVisible();
    const address = popup.url();
    await popup.close();
    await expect(gmail(page)).toContainText("Still signing in?");
    await expect(said(page, "Still signing in?")).toHaveCount(1);
    await expect(word(page, "Gmail")).toHaveText("Pending");

    await button(gmail(page), "I've finished Gmail").click();
    await expect(gmail(page)).toContainText("Nothing has arrived yet.");
    await expect(said(page, "Nothing has arrived yet.")).toHaveCount(1);

    const elsewhere = await context.newPage();
    await elsewhere.goto(address);
    await allow(elsewhere);
    await expect(elsewhere.getByRole("heading", { name: "Connected" })).toBeVisible();
    const finished = button(gmail(page), "I've finished Gmail");
    // The poll may have been quicker than the button.
    if (await finished.isVisible()) await finished.click({ timeout: 2000 }).catch(() => {});
    await expect(word(page, "Gmail")).toHaveText("Connected");
    await site.call("DELETE", "/sandbox/control/faults");
  });

  test("closed window: Start again", async ({ page, site }) => {
    const first = await opens(page, button(gmail(page), "Connect Gmail"));
    await expect(button(first, "Allow")).toBeVisible();
    const before = (await site.atNango()).length;
    await first.close();
    const second = await opens(page, button(gmail(page), "Start again Gmail"));
    await allow(second);
    await expect(word(page, "Gmail")).toHaveText("Connected");
    expect((await site.atNango()).length).toBe(before + 1);
  });

  test("the window's own “Close this window” asks too", async ({ page }) => {
    const popup = await opens(page, button(gmail(page), "Connect Gmail"));
    await button(popup, "Close this window").click();
    await closed(popup);
    await expect(gmail(page)).toContainText("Still signing in?");
  });

  test("all pages closed right after Allow: connected", async ({ page, context }) => {
    const popup = await opens(page, button(gmail(page), "Connect Gmail"));
    await expect(button(popup, "Allow")).toBeVisible();
    // The keeper stays on no page of ours: closing the last one may end the browser's context.
    const keeper = await context.newPage();
    await page.close();
    const left = context.waitForEvent("request", (r) => r.url().includes("/oauth/callback"));
    await Promise.all([left, button(popup, "Allow").click({ noWaitAfter: true })]);
    await popup.close();
    await expect(async () => {
      await keeper.goto("/connectors");
      await expect(word(keeper, "Gmail")).toHaveText("Connected", { timeout: 500 });
    }).toPass();
  });

  test("a reload in mid-flow finds the window again", async ({ page, context }) => {
    const popup = await opens(page, button(gmail(page), "Connect Gmail"));
    await expect(button(popup, "Allow")).toBeVisible();
    await open(page);
    await expect(word(page, "Gmail")).toHaveText("Pending");
    await expect(button(gmail(page), "I've finished Gmail")).toBeVisible();
    await button(gmail(page), "Open window Gmail").click();
    await expect(gmail(page)).toContainText("Sign in in the other window.");
    expect(context.pages()).toHaveLength(2);
    await allow(popup);
    await expect(word(page, "Gmail")).toHaveText("Connected");
    await closed(popup);
  });

  test("a reload after the window is gone: Open window opens it anew", async ({ page }) => {
    const popup = await opens(page, button(gmail(page), "Connect Gmail"));
    await expect(button(popup, "Allow")).toBeVisible();
    await popup.close();
    await open(page);
    const again = await opens(page, button(gmail(page), "Open window Gmail"));
    await allow(again);
    await expect(word(page, "Gmail")).toHaveText("Connected");
  });

  test("Cancel ends it, and a late Allow does not bring it back", async ({ page, context, guard }) => {
    guard.expectUnclosable();
    const popup = await opens(page, button(gmail(page), "Connect Gmail"));
    await expect(button(popup, "Allow")).toBeVisible();
    const address = popup.url();
    await button(gmail(page), "Cancel Gmail").click();
    await closed(popup);
    await expect(word(page, "Gmail")).toHaveText("Not connected");
    await expect(button(gmail(page), "Connect Gmail")).toBeVisible();
    const late = await context.newPage();
    await late.goto(address);
    await allow(late);
    await expect(late.getByRole("heading", { name: "Connected" })).toBeVisible();
    await page.reload();
    await expect(word(page, "Gmail")).toHaveText("Not connected");
  });

  test("disconnecting asks first, and says what stops", async ({ page, site }) => {
    const before = (await site.atNango()).length;
    await connect(page, "Gmail");
    expect((await site.atNango()).length).toBe(before + 1);
    await button(gmail(page), "Disconnect Gmail").click();
    const dialog = page.getByRole("dialog");
    await expect(dialog.getByRole("heading", { name: "Disconnect Gmail?" })).toBeVisible();
    await expect(dialog).toContainText(manifest("gmail").disconnect_stops);
    await dialog.getByRole("link", { name: "Keep connected" }).click();
    await expect(dialog).toBeHidden();
    await expect(word(page, "Gmail")).toHaveText("Connected");

    await button(gmail(page), "Disconnect Gmail").click();
    await button(dialog, "Disconnect").click();
    await expect(dialog).toBeHidden();
    await expect(word(page, "Gmail")).toHaveText("Disconnected");
    await expect(said(page, "Gmail is disconnected.")).toHaveCount(1);
    await expect(page).toHaveURL(/\/connectors$/);
    expect((await site.atNango()).length).toBe(before);
    await connect(page, "Gmail");
  });

  test("from the details: connect, a second account, disconnect one", async ({ page }) => {
    await gmail(page).getByRole("link", { name: "View Gmail" }).click();
    const dialog = page.getByRole("dialog");
    await allow(await opens(page, button(dialog, "Connect Gmail")));
    await expect(dialog.locator(".status .word")).toHaveText("Connected");
    const second = await opens(page, dialog.getByRole("link", { name: "Connect another account" }));
    await allow(second, "grace@northwind.example");
    await expect(dialog.locator(".status .word")).toHaveText(["Connected", "Connected"]);
    await dialog.getByRole("button", { name: "Disconnect Gmail" }).first().click();
    await button(dialog, "Disconnect").click();
    await expect(dialog.locator(".status .word")).toHaveText(["Connected"]);
    await page.keyboard.press("Escape");
    await expect(dialog).toBeHidden();
    await expect(word(page, "Gmail")).toHaveText("Connected");
  });
});

test("a blocked window leaves a link that does the same", async ({ page, person: _ }) => {
  await page.addInitScript(() => {
    window.open = () => null;
  });
  await open(page);
  await button(gmail(page), "Connect Gmail").click();
  await expect(gmail(page)).toContainText("Your browser blocked the window.");
  const tab = await opens(page, gmail(page).getByRole("link", { name: "Sign in to Gmail" }));
  await allow(tab);
  await expect(word(page, "Gmail")).toHaveText("Connected");
  await expect(gmail(page)).not.toContainText("blocked");
});

test("an attempt that another page began is shown with a way to go on", async ({
  page,
  context,
  person: _,
  site,
}) => {
  await begin(context, site.url, "gmail");
  await open(page);
  await expect(word(page, "Gmail")).toHaveText("Pending");
  const window = await opens(page, button(gmail(page), "Open window Gmail"));
  await allow(window);
  await expect(word(page, "Gmail")).toHaveText("Connected");
});
