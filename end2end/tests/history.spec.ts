// A person's own history: in a connector's details, with and without scripts.
import type { Page } from "@playwright/test";
import { button, connect, dialog, expect, open, test, view, word } from "./support";

const history = (page: Page) => page.getByRole("region", { name: "History" });
const lines = (page: Page) => history(page).getByRole("listitem");

test("what a person did, and from where", async ({ page, person: _ }) => {
  await open(page);
  await connect(page, "Gmail");
  await view(page, "Gmail");
  await button(dialog(page), "Disconnect Gmail").click();
  await button(dialog(page), "Disconnect").click();
  await expect(word(page, "Gmail")).toHaveText("Disconnected");
  await dialog(page).getByRole("link", { name: "History", exact: true }).click();
  await expect(page).toHaveURL(/\/connectors\/gmail\?all#history$/);
  await expect(history(page)).toBeInViewport();
  await expect(lines(page).locator("p")).toHaveText(["Disconnected by you", "Connected", "Connecting started"]);
  for (const own of [0, 2]) await expect(lines(page).nth(own)).toContainText(/ UTC · Chrome on /);
  await expect(lines(page).nth(1)).not.toContainText("Chrome");
});

test("nobody sees another's history", async ({ page, person: _, newPerson }) => {
  await open(page);
  await connect(page, "Gmail");
  const other = await (await newPerson()).context.newPage();
  await other.goto("/connectors/gmail");
  await expect(history(other)).toContainText("Nothing has happened yet.");
  await expect(lines(other)).toHaveCount(0);
});

test.describe("without scripts", () => {
  test.use({ javaScriptEnabled: false });

  test("the history is there too", async ({ page, person: _, guard }) => {
    guard.expectUnusedPreload();
    await page.goto("/connectors/gmail");
    await page.getByRole("button", { name: "Connect Gmail", exact: true }).click();
    await page.goto("/connectors/gmail#history");
    await expect(lines(page).locator("p")).toHaveText(["Connecting started"]);
  });
});
