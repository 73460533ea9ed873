// A connection that breaks says so, with the reason and the way out, on a page that stands open.
import type { Page } from "@playwright/test";
import type { Installation } from "./servers";
import { activate, allow, button, connect, enter, expect, mark, opens, row, test, unmoved, word } from "./support";

const gmail = (page: Page) => row(page, "Gmail");

/** Breaks the only connection at Nango; the page shows it, and Reconnect mends it. */
async function breaksAndIsMended(page: Page, at: Installation, reason: string) {
  await connect(page, "Gmail");
  await mark(page);
  const [{ connection_id: id }] = await at.atNango();
  await at.revoke(id);
  await expect(word(page, "Gmail")).toHaveText("Error", { timeout: 25_000 });
  await expect(gmail(page)).toContainText(reason);
  const again = button(gmail(page), "Reconnect Gmail");
  await expect(again).toBeVisible();

  await allow(await opens(page, again));
  await expect(word(page, "Gmail")).toHaveText("Connected");
  await expect(gmail(page)).not.toContainText(reason);
  await expect(button(gmail(page), "Disconnect Gmail")).toBeVisible();
  await unmoved(page);
  // It is still the same connection.
  expect((await at.atNango()).map((one) => one.connection_id)).toEqual([id]);
}

test("a failed refresh, told by a webhook: Error with the reason, Reconnect, Connected", async ({ page, installation }) => {
  const at = await installation({ webhooks: true });
  await enter(page, at);
  await breaksAndIsMended(page, at, "The provider did not renew the access.");
});

test("a failed refresh that no webhook tells: the reconciler finds it, and a recovery too", async ({ page, installation }) => {
  test.setTimeout(90_000);
  const at = await installation({ server: { NANGO_RECONCILE_SECONDS: "5" } });
  await enter(page, at);
  await breaksAndIsMended(page, at, "Access to the account has stopped working");
  const [{ connection_id: id }] = await at.atNango();
  await at.revoke(id);
  await expect(word(page, "Gmail")).toHaveText("Error", { timeout: 25_000 });
  await at.call("POST", `/sandbox/control/connections/${id}/mend`);
  await expect(word(page, "Gmail")).toHaveText("Connected", { timeout: 25_000 });
  await unmoved(page);
});

test("a connection deleted at Nango: Disconnected, with the reason", async ({ page, installation }) => {
  test.setTimeout(60_000);
  const at = await installation({ server: { NANGO_RECONCILE_SECONDS: "5" } });
  await enter(page, at);
  await connect(page, "Slack");
  const [{ connection_id: id }] = await at.atNango();
  await at.call("DELETE", `/connections/${id}?provider_config_key=slack`);
  await expect(word(page, "Slack")).toHaveText("Disconnected", { timeout: 40_000 });
  await expect(row(page, "Slack")).toContainText("it was deleted there");
  await connect(page, "Slack");
});

test("a sync that ran, one that failed, and one that ran again", async ({ page, installation }) => {
  const at = await installation({ webhooks: true });
  await enter(page, at);
  await connect(page, "Slack");
  const [{ connection_id: id }] = await at.atNango();
  const synced = row(page, "Slack").locator(".synced time");
  await expect(synced).toHaveText("—");
  const sync = (success: boolean) => at.call("POST", `/sandbox/control/connections/${id}/sync`, { success });
  await sync(true);
  await expect(synced).not.toHaveText("—");
  await expect(synced).toHaveAttribute("datetime", /^\d{4}-/);

  await row(page, "Slack").getByRole("link", { name: "Slack", exact: true }).click();
  const dialog = page.getByRole("dialog");
  // Again, where the server's first look at Nango's list has come in between and found no error.
  await expect(async () => {
    await sync(false);
    await expect(dialog).toContainText("The last synchronisation failed.", { timeout: 2_000 });
  }).toPass();
  await expect(dialog.locator(".status .word")).toHaveText("Connected");
  await sync(true);
  await expect(dialog).not.toContainText("The last synchronisation failed.");
});

test("Nango refuses the reconnect of what it no longer has: said, and Connect works", async ({ page, installation, guard }) => {
  guard.expectStatus(409);
  const at = await installation({ webhooks: true });
  await enter(page, at);
  await connect(page, "Gmail");
  const [{ connection_id: id }] = await at.atNango();
  await at.revoke(id);
  await expect(word(page, "Gmail")).toHaveText("Error");
  await at.call("DELETE", `/connections/${id}?provider_config_key=google-mail`);
  await activate(button(gmail(page), "Reconnect Gmail"));
  await expect(button(gmail(page), "Connect Gmail")).toBeVisible();
  await connect(page, "Gmail");
});
