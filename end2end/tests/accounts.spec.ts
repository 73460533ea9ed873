// Several accounts of one connector: each with its own name, status and buttons.
import type { Locator, Page } from "@playwright/test";
import { allow, button, connect, dialog, enter, expect, freshName, mark, opens, row, test, unmoved, view, word } from "./support";

/** One account in the details. */
const account = (page: Page, name: string): Locator => dialog(page).getByRole("listitem").filter({ hasText: name });
const status = (of: Locator) => of.locator(".status .word");

async function rename(of: Locator, now: string, name: string) {
  await of.getByText("Rename", { exact: true }).click();
  const field = of.getByRole("textbox", { name: `New name of ${now}` });
  await field.fill(name);
  await button(of, "Save").click();
}

test("two accounts: named, broken and disconnected one by one", async ({ page, context, installation }) => {
  test.setTimeout(60_000);
  const at = await installation({ webhooks: true });
  await enter(page, at);
  await mark(page);
  await connect(page, "Gmail");
  await view(page, "Gmail");
  await allow(await opens(page, dialog(page).getByRole("link", { name: "Connect another account" })));
  await expect(status(dialog(page))).toHaveText(["Connected", "Connected"]);
  // Without names of their own they are told apart all the same.
  await rename(account(page, "Account 1"), "Gmail Account 1", "Office");
  await expect(status(account(page, "Office"))).toHaveText("Connected");
  await rename(account(page, "Account 2"), "Gmail Account 2", "Private");
  const [office, own] = [account(page, "Office"), account(page, "Private")];
  await expect(button(office, "Disconnect Gmail Office")).toBeVisible();
  await expect(button(own, "Disconnect Gmail Private")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(row(page, "Gmail")).toContainText("2 accounts");
  await expect(button(row(page, "Gmail"), "Manage Gmail")).toBeVisible();

  // The newest comes first at Nango.
  const [second, first] = (await at.atNango()).map((one) => one.connection_id);
  await at.revoke(second);
  await expect(word(page, "Gmail")).toHaveText("Error");
  await expect(row(page, "Gmail")).toContainText("2 accounts, 1 needs attention");
  await view(page, "Gmail");
  await expect(status(office)).toHaveText("Connected");
  await expect(status(own)).toHaveText("Error");
  await expect(own).toContainText("The provider did not renew the access.");
  await expect(office).not.toContainText("did not renew");

  // Reconnecting the broken one leaves the other alone.
  await allow(await opens(page, button(own, "Reconnect Gmail Private")));
  await expect(status(dialog(page))).toHaveText(["Connected", "Connected"]);
  await expect(own).not.toContainText("did not renew");
  const ids = async () => (await at.atNango()).map((one) => one.connection_id).sort();
  expect(await ids()).toEqual([first, second].sort());

  await button(office, "Disconnect Gmail Office").click();
  await expect(dialog(page).getByRole("heading", { name: "Disconnect Gmail Office?" })).toBeVisible();
  await button(dialog(page), "Disconnect").click();
  await expect(status(dialog(page))).toHaveText(["Connected"]);
  await expect(dialog(page)).toContainText("Private");
  await expect(dialog(page)).not.toContainText("Office");
  expect(await ids()).toEqual([second]);
  await page.keyboard.press("Escape");
  await expect(word(page, "Gmail")).toHaveText("Connected");
  await expect(row(page, "Gmail")).toContainText("Private");
  await unmoved(page);

  // Another page says the same.
  const other = await context.newPage();
  await other.goto(`${at.url}/connectors/gmail`);
  await expect(other.locator(".accounts li")).toHaveCount(1);
  await expect(other.locator(".accounts li")).toContainText("Private");
});

test("a name is given, taken back and refused in words; other pages follow", async ({ page, context, person: _, site, guard }) => {
  guard.expectStatus(422);
  await page.goto(`${site.url}/connectors`);
  await page.waitForFunction(() => window.onmessage !== null);
  await connect(page, "Gmail");
  const other = await context.newPage();
  await other.goto(`${site.url}/connectors/gmail`);
  await other.waitForFunction(() => window.onmessage !== null);

  await view(page, "Gmail");
  const only = dialog(page).getByRole("listitem").filter({ has: page.locator(".status") });
  const name = freshName();
  await rename(only, "Gmail", name);
  await expect(only).toContainText(name);
  await expect(other.locator(".accounts li")).toContainText(name);
  // The form has closed, and the focus is on what opened it.
  await expect(only.getByRole("textbox")).toBeHidden();
  await expect(page.locator("summary:focus")).toHaveText("Rename");

  await rename(only, "Gmail", "a\u0007b");
  await expect(dialog(page)).toContainText("a line break or another character that can’t be seen");
  await expect(only).toContainText(name);

  await only.getByRole("textbox").fill("");
  await button(only, "Save").click();
  await expect(only).not.toContainText(name);
  await page.keyboard.press("Escape");
  await expect(row(page, "Gmail")).not.toContainText(name);
});
