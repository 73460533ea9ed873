// Without JavaScript: plain links and forms do the whole job.
import type { Page } from "@playwright/test";
import { manifest } from "./servers";
import { allow, arrange, button, expect, opens, row, test, word } from "./support";

test.use({ javaScriptEnabled: false });

test.beforeEach(({ guard }) => {
  guard.expectUnusedPreload();
});

const rows = (page: Page) => page.locator("tbody").getByRole("row");
const status = (page: Page) => page.locator(".accounts .status .word");

test("signing in, searching, filtering and sorting are forms and links", async ({ page }) => {
  await page.goto("/");
  await button(page, "Continue as demo user").click();
  await expect(page.getByRole("heading", { level: 1, name: "Connectors" })).toBeVisible();
  await expect(rows(page)).toHaveCount(99);

  const search = page.getByRole("searchbox", { name: "Search connectors" });
  await search.fill("google");
  await button(page, "Apply").click();
  await expect(page).toHaveURL(/q=google/);
  const found = await rows(page).count();
  expect(found).toBeGreaterThan(3);
  expect(found).toBeLessThan(20);
  await expect(search).toHaveValue("google");

  await page.getByRole("combobox", { name: "Sort" }).selectOption("name, Z to A");
  await button(page, "Apply").click();
  await expect(page).toHaveURL(/sort=-name/);
  await expect(rows(page).first()).toContainText("Google Sheets");

  const storage = page.getByRole("navigation", { name: "Categories" }).getByRole("link", { name: /^Storage/ });
  await storage.click();
  await expect(rows(page)).toHaveCount(1);
  await expect(rows(page)).toContainText("Google Drive");
  // A search within the category stays in it.
  await search.fill("");
  await button(page, "Apply").click();
  await expect(page).toHaveURL(/category=Storage/);
  expect(await rows(page).count()).toBeGreaterThan(1);

  await page.getByRole("navigation", { name: "Status" }).getByRole("link", { name: /^Connected/ }).click();
  await expect(page.getByText("No connector matches these filters.")).toBeVisible();
});

test("connect leads through a tab to Connected, disconnect asks first", async ({ page, person: _, site }) => {
  const before = (await site.atNango()).length;
  await page.goto("/connectors");
  await button(row(page, "Gmail"), "Connect Gmail").click();
  await expect(page).toHaveURL(/\/attempts\/[0-9a-f-]{36}$/);
  await expect(page.getByRole("heading", { name: "Connect Gmail" })).toBeVisible();

  const finished = button(page, "I've finished");
  await finished.click();
  await expect(page.getByRole("main")).toContainText("Nothing has arrived yet");

  const tab = await opens(page, page.getByRole("link", { name: "Continue to Gmail" }));
  await allow(tab);
  await expect(tab.getByRole("heading", { name: "Connected" })).toBeVisible();
  await tab.close();
  await finished.click();
  await expect(page.getByRole("heading", { name: "Gmail is connected." })).toBeVisible();
  await page.getByRole("main").getByRole("link", { name: "All connectors" }).click();
  await expect(word(page, "Gmail")).toHaveText("Connected");
  expect((await site.atNango()).length).toBe(before + 1);

  await button(row(page, "Gmail"), "Disconnect Gmail").click();
  await expect(page.getByRole("heading", { name: "Disconnect Gmail?" })).toBeVisible();
  await expect(page.getByRole("main")).toContainText(manifest("gmail").disconnect_stops);
  await page.getByRole("link", { name: "Keep connected" }).click();
  await expect(status(page)).toHaveText("Connected");
  await page.getByRole("button", { name: "Disconnect Gmail" }).click();
  await button(page, "Disconnect").click();
  await expect(page).toHaveURL(/\/connectors\/gmail$/);
  await page.getByRole("link", { name: "All connectors" }).click();
  await expect(word(page, "Gmail")).toHaveText("Disconnected");
  expect((await site.atNango()).length).toBe(before);
});

test("denied and cancelled attempts say so, and start again", async ({ page, person: _, guard }) => {
  guard.expectStatus(400);
  await page.goto("/connectors");
  await button(row(page, "Gmail"), "Connect Gmail").click();
  const tab = await opens(page, page.getByRole("link", { name: "Continue to Gmail" }));
  await button(tab, "Deny").click();
  await expect(tab.getByRole("heading", { name: "Not connected" })).toBeVisible();
  await tab.close();
  await button(page, "I've finished").click();
  await expect(page.getByRole("heading", { name: "Gmail was not connected." })).toBeVisible();
  await expect(page.getByRole("main")).toContainText("Access was not allowed.");

  await button(page, "Start again").click();
  await expect(page).toHaveURL(/\/attempts\//);
  await button(page, "Cancel").click();
  await expect(page).toHaveURL(/\/connectors\/gmail$/);
  await page.getByRole("link", { name: "All connectors" }).click();
  await expect(word(page, "Gmail")).toHaveText("Not connected");
});

test("an open attempt is found again in the catalogue", async ({ page, person: _ }) => {
  await page.goto("/connectors");
  await button(row(page, "Slack"), "Connect Slack").click();
  await page.goto("/connectors");
  await expect(word(page, "Slack")).toHaveText("Pending");
  await button(row(page, "Slack"), "Open window Slack").click();
  await expect(page).toHaveURL(/\/attempts\//);
  const tab = await opens(page, page.getByRole("link", { name: "Continue to Slack" }));
  await allow(tab);
  await expect(tab.getByRole("heading", { name: "Connected" })).toBeVisible();
  await button(page, "I've finished").click();
  await expect(page.getByRole("heading", { name: "Slack is connected." })).toBeVisible();
});

test("an error is repaired", async ({ page, context, person: _, site }) => {
  await arrange(context, site.url, "hubspot", "wrong@northwind.example");
  await page.goto("/connectors");
  await expect(word(page, "HubSpot")).toHaveText("Error");
  await button(row(page, "HubSpot"), "Reconnect HubSpot").click();
  await expect(page).toHaveURL(/\/attempts\//);
  const tab = await opens(page, page.getByRole("link", { name: "Continue to HubSpot" }));
  await allow(tab);
  await expect(tab.getByRole("heading", { name: "Connected" })).toBeVisible();
  await button(page, "I've finished").click();
  await expect(page.getByRole("heading", { name: "HubSpot is connected." })).toBeVisible();
});

test("Zendesk: a bad subdomain comes back with the error, a good one connects", async ({ page, person: _ }) => {
  await page.goto("/connectors");
  await button(row(page, "Zendesk"), "Connect Zendesk").click();
  await expect(page).toHaveURL(/\/connectors\/zendesk/);
  const field = page.getByRole("textbox", { name: "Zendesk subdomain" });
  const send = button(page, "Connect Zendesk");
  await field.fill("Acme Inc.");
  // The browser's own check holds it back; past it, the server's says why.
  await send.click();
  await expect(page).not.toHaveURL(/attempts/);
  expect(await field.evaluate((input: HTMLInputElement) => input.validity.patternMismatch)).toBe(true);
  await field.evaluate((input: HTMLInputElement) => (input.form as HTMLFormElement).setAttribute("novalidate", ""));
  await send.click();
  await expect(page.getByRole("alert").filter({ hasText: "Zendesk subdomain should look like “acme”." })).toBeVisible();
  await expect(field).toHaveValue("Acme Inc.");
  await expect(field).toHaveAttribute("aria-invalid", "true");

  await field.fill("acme");
  await send.click();
  const tab = await opens(page, page.getByRole("link", { name: "Continue to Zendesk" }));
  await allow(tab);
  await expect(tab.getByRole("heading", { name: "Connected" })).toBeVisible();
  await button(page, "I've finished").click();
  await expect(page.getByRole("heading", { name: "Zendesk is connected." })).toBeVisible();
});

test("a key: a wrong one is refused and not shown again, a right one connects", async ({ page, person: _ }) => {
  await page.goto("/connectors");
  await button(row(page, "Vercel"), "Connect Vercel").click();
  const key = page.getByRole("textbox", { name: "Vercel token" });
  await key.fill("a-wrong-token");
  await button(page, "Connect Vercel").click();
  await expect(page.getByRole("alert").filter({ hasText: "These credentials were refused." })).toBeVisible();
  expect(await page.content()).not.toContain("a-wrong-token");
  await expect(key).toHaveValue("");
  await key.fill("a-good-token");
  await button(page, "Connect Vercel").click();
  await expect(status(page)).toHaveText("Connected");
});
