// The whole job by keyboard alone. No test here touches the mouse.
import type { Locator, Page } from "@playwright/test";
import { withModes } from "./states";
import { arrange, button, closed, enter, expect, open, row, test, word } from "./support";

/** Presses Tab until it is focused. */
async function tabTo(page: Page, target: Locator, key = "Tab", most = 60) {
  for (let n = 0; n < most; n++) {
    if (await target.evaluateAll((found) => found.includes(document.activeElement as HTMLElement))) return;
    await page.keyboard.press(key);
  }
  await expect(target, `${most} × ${key}`).toBeFocused({ timeout: 1 });
}

/** Presses a key that makes the window go away, perhaps before the key is up again. */
async function pressLast(popup: Page, key: string) {
  await popup.keyboard.press(key).catch((error: unknown) => {
    if (!popup.isClosed()) throw error;
  });
}

/** What has the focus can be seen to have it. */
async function showsFocus(page: Page) {
  const style = await page.evaluate(() => {
    const focused = document.activeElement as Element;
    const seen = [focused, focused.parentElement as Element].map((e) => getComputedStyle(e));
    return seen.map((s) => `${s.outlineStyle} ${parseFloat(s.outlineWidth)}`);
  });
  expect(style.some((s) => !s.startsWith("none") && !s.endsWith(" 0")), `an outline, got ${style}`).toBe(true);
}

test("from the skip link to Connected and back", async ({ page, person: _ }) => {
  await open(page);
  await page.keyboard.press("Tab");
  const skip = page.getByRole("link", { name: "Skip to content" });
  await expect(skip).toBeFocused();
  await expect(skip).toBeInViewport();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("main")).toBeFocused();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("searchbox")).toBeFocused();
  await showsFocus(page);
  await page.keyboard.type("gmail");
  await expect(page.locator("tbody").getByRole("row")).toHaveCount(1);

  const gmail = row(page, "Gmail");
  await tabTo(page, button(gmail, "Connect Gmail"));
  await showsFocus(page);
  const [popup] = await Promise.all([page.waitForEvent("popup"), page.keyboard.press("Enter")]);
  await expect(button(popup, "Allow")).toBeVisible();
  await tabTo(popup, button(popup, "Allow"));
  await pressLast(popup, "Enter");
  await expect(word(page, "Gmail")).toHaveText("Connected");
  await closed(popup);
  // Focus is where the person left it: on the same place in the row.
  await expect(gmail.getByRole("button").and(page.locator(":focus"))).toHaveCount(1);

  await tabTo(page, gmail.getByRole("link", { name: "View Gmail" }), "Shift+Tab", 4);
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByRole("button", { name: "Disconnect Gmail" })).toBeVisible();
  const visited = new Set<string>();
  for (let n = 0; n < 16; n++) {
    await page.keyboard.press("Tab");
    const where = await page.evaluate(() => {
      const focused = document.activeElement;
      if (!focused || focused === document.body) return "the browser";
      return focused.closest("dialog") ? (focused.getAttribute("aria-label") ?? focused.textContent ?? "") : `outside: ${focused.outerHTML}`;
    });
    expect(where).not.toMatch(/^outside/);
    visited.add(where);
  }
  expect([...visited]).toEqual(expect.arrayContaining(["Disconnect Gmail", "Connect another account", "Close"]));
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  await expect(gmail.getByRole("link", { name: "View Gmail" })).toBeFocused();

  await tabTo(page, button(gmail, "Disconnect Gmail"), "Tab", 4);
  await page.keyboard.press("Enter");
  await expect(dialog.getByRole("heading", { name: "Disconnect Gmail?" })).toBeVisible();
  await tabTo(page, button(dialog, "Disconnect"), "Tab", 8);
  await showsFocus(page);
  await page.keyboard.press("Enter");
  await expect(dialog).toBeHidden();
  await expect(word(page, "Gmail")).toHaveText("Disconnected");
  await expect(gmail.locator(":focus")).toHaveCount(1);
});

test("a form is filled and sent by keyboard", async ({ page, person: _ }) => {
  await open(page);
  await page.keyboard.press("/");
  await page.keyboard.type("zendesk");
  await tabTo(page, button(row(page, "Zendesk"), "Connect Zendesk"));
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByRole("textbox", { name: "Zendesk subdomain" })).toBeFocused();
  await page.keyboard.type("acme");
  const [popup] = await Promise.all([page.waitForEvent("popup"), page.keyboard.press("Enter")]);
  await expect(button(popup, "Allow")).toBeVisible();
  await tabTo(popup, button(popup, "Allow"));
  await pressLast(popup, "Space");
  await expect(dialog.locator(".status .word")).toHaveText("Connected");
});

test("the question after a closed window is reached by keyboard", async ({ page, person: _ }) => {
  await open(page, "/connectors?q=gmail");
  const gmail = row(page, "Gmail");
  await tabTo(page, button(gmail, "Connect Gmail"));
  const [popup] = await Promise.all([page.waitForEvent("popup"), page.keyboard.press("Enter")]);
  await expect(button(popup, "Allow")).toBeVisible();
  await popup.close();
  await expect(gmail).toContainText("Still signing in?");
  await tabTo(page, button(gmail, "Start again Gmail"), "Shift+Tab", 8);
  const [again] = await Promise.all([page.waitForEvent("popup"), page.keyboard.press("Enter")]);
  await expect(button(again, "Allow")).toBeVisible();
  await tabTo(again, button(again, "Allow"));
  await pressLast(again, "Enter");
  await expect(word(page, "Gmail")).toHaveText("Connected");
  await expect(gmail.locator(":focus")).toHaveCount(1);
});

test("the details say what happens, and the question takes the focus and gives it back", async ({ page, person: _ }) => {
  await open(page);
  await row(page, "Gmail").getByRole("link", { name: "View Gmail" }).press("Enter");
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByRole("heading", { name: "Gmail", exact: true })).toBeFocused();
  await expect(page).toHaveTitle("Gmail · Patchbay");
  const [popup] = await Promise.all([page.waitForEvent("popup"), button(dialog, "Connect Gmail").press("Enter")]);
  await button(popup, "Allow").focus();
  await pressLast(popup, "Enter");
  await expect(dialog.getByRole("status").filter({ hasText: "Gmail is connected." })).toHaveCount(1);
  await expect(dialog.locator(":focus")).toHaveCount(1);

  await button(dialog, "Disconnect Gmail").press("Enter");
  await expect(dialog.getByRole("heading", { name: "Disconnect Gmail?" })).toBeFocused();
  await expect(dialog).toHaveAccessibleName(/^Disconnect Gmail\?/);
  await dialog.getByRole("link", { name: "Keep connected" }).press("Enter");
  await expect(button(dialog, "Disconnect Gmail")).toBeFocused();

  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  await expect(page).toHaveTitle("Connectors · Patchbay");
});

test("an account is renamed, and the focus comes back", async ({ page, context, person: _, site }) => {
  await arrange(context, site.url, "gmail");
  await open(page, "/connectors/gmail");
  const summary = page.locator(".rename summary");
  await tabTo(page, summary);
  await showsFocus(page);
  await page.keyboard.press("Enter");
  const field = page.getByRole("textbox", { name: "New name of Gmail" });
  await tabTo(page, field, "Tab", 1);
  await showsFocus(page);
  await page.keyboard.type("Work");
  await page.keyboard.press("Enter");
  await expect(page.locator(".accounts")).toContainText("Work");
  await expect(field).toBeHidden();
  await expect(summary).toBeFocused();
});

test("a key of several lines is typed, and Tab leads on", async ({ page, installation }) => {
  await enter(page, await installation(withModes), "/connectors/apple-app-store");
  for (const label of ["Issuer ID", "Key ID"]) {
    await tabTo(page, page.getByRole("textbox", { name: label, exact: true }));
    await page.keyboard.type("2X9R4HXF34");
  }
  const key = page.getByRole("textbox", { name: "Private Key" });
  await tabTo(page, key, "Tab", 1);
  await showsFocus(page);
  await page.keyboard.type("one");
  await page.keyboard.press("Enter");
  await page.keyboard.type("two");
  await expect(key).toHaveValue("one\ntwo");
  await tabTo(page, button(page, "Connect Apple App Store"), "Tab", 2);
  await page.keyboard.press("Enter");
  await expect(page.locator(".accounts .status .word")).toHaveText("Connected");
});
