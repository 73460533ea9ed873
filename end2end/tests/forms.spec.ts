// Connectors that ask first: a subdomain, a key, a name and a secret.
import type { Page } from "@playwright/test";
import { allow, button, expect, open, opens, row, test, word } from "./support";

const dialog = (page: Page) => page.getByRole("dialog");

test.beforeEach(async ({ page, person: _ }) => open(page));

test.describe("Zendesk's subdomain", () => {
  const field = (page: Page) => dialog(page).getByRole("textbox", { name: "Zendesk subdomain" });
  const refusal = "Zendesk subdomain should look like “acme”.";

  test("is checked as it is typed, and a good one connects", async ({ page, context }) => {
    await button(row(page, "Zendesk"), "Connect Zendesk").click();
    await expect(field(page)).toBeFocused();
    await field(page).pressSequentially("Acme Inc.");
    // Nobody is scolded in the middle of a word.
    await expect(dialog(page)).not.toContainText(refusal);
    await field(page).blur();
    await expect(dialog(page)).toContainText(refusal);
    await expect(field(page)).toHaveAttribute("aria-invalid", "true");
    await expect(field(page)).toHaveAccessibleDescription(new RegExp(refusal));

    await button(dialog(page), "Connect Zendesk").click();
    await expect(field(page)).toBeFocused();
    expect(context.pages()).toHaveLength(1);
    await expect(word(page, "Zendesk")).toHaveText("Not connected");

    await field(page).fill("acme");
    await expect(dialog(page)).not.toContainText(refusal);
    await expect(field(page)).not.toHaveAttribute("aria-invalid");
    await field(page).pressSequentially("!");
    await expect(dialog(page)).toContainText(refusal);
    await field(page).fill("acme-support");
    await allow(await opens(page, button(dialog(page), "Connect Zendesk")));
    await expect(dialog(page).locator(".status .word")).toHaveText("Connected");
    await expect(dialog(page)).toContainText("acme-support.zendesk.com");
    await page.keyboard.press("Escape");
    await expect(row(page, "Zendesk")).toContainText("acme-support.zendesk.com");
  });

  test("an empty one is asked for", async ({ page }) => {
    await button(row(page, "Zendesk"), "Connect Zendesk").click();
    await expect(field(page)).toBeFocused();
    await page.keyboard.press("Enter");
    await expect(dialog(page)).toContainText("Zendesk subdomain is needed.");
    await expect(word(page, "Zendesk")).toHaveText("Not connected");
  });
});

test.describe("a typed key", () => {
  test("a wrong one is refused in words, a right one connects, and no window opens", async ({
    page,
    context,
    guard,
  }) => {
    guard.expectStatus(422);
    await button(row(page, "Vercel"), "Connect Vercel").click();
    const key = dialog(page).getByRole("textbox", { name: "Vercel token" });
    await expect(key).toBeFocused();
    await key.fill("a-wrong-token");
    await button(dialog(page), "Connect Vercel").click();
    await expect(dialog(page)).toContainText("These credentials were refused.");
    await expect(page.getByRole("alert").filter({ hasText: "These credentials were refused." })).not.toHaveCount(0);
    await expect(word(page, "Vercel")).toHaveText("Error");

    const again = dialog(page).getByRole("button", { name: "Reconnect Vercel" });
    if (!(await key.isVisible())) await again.click();
    await key.fill("a-good-token");
    await button(dialog(page), "Connect Vercel").click();
    await expect(dialog(page).locator(".status .word")).toHaveText("Connected");
    await expect(dialog(page)).not.toContainText("refused");
    expect(context.pages()).toHaveLength(1);
    const everything = (await page.content()) + page.url();
    expect(everything).not.toContain("a-good-token");
  });

  test("SendGrid's pattern is checked before anything is sent", async ({ page, guard }) => {
    guard.expectStatus(422);
    let sent = 0;
    page.on("request", (request) => (sent += Number(request.method() === "POST" && /connect/.test(request.url()))));
    await page.goto("/connectors/sendgrid");
    await page.waitForFunction(() => window.onmessage !== null);
    const key = page.getByRole("textbox", { name: "API key" });
    await key.fill("nonsense");
    sent = 0;
    await button(page, "Connect SendGrid").click();
    await expect(page.getByText("API key does not look right.")).toBeVisible();
    expect(sent).toBe(0);
    await key.fill("SG.wrong.key");
    await button(page, "Connect SendGrid").click();
    await expect(page.getByText("These credentials were refused.").first()).toBeVisible();
    const again = page.getByRole("button", { name: "Reconnect SendGrid" });
    if (!(await key.isVisible())) await again.click();
    await key.fill("SG.right.key");
    await button(page, "Connect SendGrid").click();
    await expect(page.locator(".accounts .status .word")).toHaveText("Connected");
  });

  test("can be looked at while it is typed", async ({ page }) => {
    await button(row(page, "Vercel"), "Connect Vercel").click();
    const key = dialog(page).getByRole("textbox", { name: "Vercel token" });
    await expect(key).toHaveAttribute("type", "password");
    const show = dialog(page).getByRole("button", { name: "Show what I type" });
    await show.click();
    await expect(key).toHaveAttribute("type", "text");
    await expect(show).toHaveAttribute("aria-pressed", "true");
    await show.click();
    await expect(key).toHaveAttribute("type", "password");
  });
});

for (const [name, fields] of Object.entries({
  Mixpanel: { "Service account username": "amy.1234", "Service account secret": "s3cret" },
  Personio: { "Client ID": "papi-1", "Client secret": "s3cret" },
  Freshdesk: { "Freshdesk subdomain": "acme", "API key": "k3y" },
})) {
  test(`${name} connects with what it asks for`, async ({ page }) => {
    await button(row(page, name), `Connect ${name}`).click();
    for (const [label, value] of Object.entries(fields)) {
      await dialog(page).getByRole("textbox", { name: label }).fill(value);
    }
    await button(dialog(page), `Connect ${name}`).click();
    await expect(dialog(page).locator(".status .word")).toHaveText("Connected");
  });
}
