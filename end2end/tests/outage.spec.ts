// An outage of Nango that begins in mid-flow and ends: nothing is lost, nobody has to do anything.
import { allow, button, closed, connect, enter, expect, mark, open, opens, row, test, unmoved, view, word } from "./support";

const AWAY = "Connecting does not work right now: Nango cannot be reached.";

test("allowed while our server can't reach Nango: Connected by itself once it can", async ({ page, context, installation, guard }) => {
  guard.expectStatus(500, 502, 503);
  test.setTimeout(120_000);
  const at = await installation();
  await enter(page, at);
  await connect(page, "Slack");
  await mark(page);
  const popup = await opens(page, button(row(page, "Gmail"), "Connect Gmail"));
  await expect(button(popup, "Allow")).toBeVisible();
  await at.cutOff();
  await allow(popup);
  await closed(popup);
  // The window's own word leads to a question that Nango does not answer.
  await expect(row(page, "Gmail")).toContainText("Nango cannot be reached.");
  await expect(word(page, "Gmail")).toHaveText("Pending");

  // The rest works, and Connect says what is wrong.
  const search = page.getByRole("searchbox");
  await search.fill("notion");
  await expect(page.locator("tbody").getByRole("row")).toHaveCount(1);
  const other = await opens(page, button(row(page, "Notion"), "Connect Notion"));
  await expect(row(page, "Notion")).toContainText(AWAY);
  await closed(other);
  await expect(word(page, "Notion")).toHaveText("Not connected");
  await search.fill("");
  await view(page, "Slack");
  await expect(page.getByRole("dialog").locator(".status .word")).toHaveText("Connected");
  await page.keyboard.press("Escape");
  const late = await context.newPage();
  await open(late, `${at.url}/connectors`);
  await expect(late.getByRole("status").filter({ hasText: AWAY })).toBeVisible();
  await expect(word(late, "Slack")).toHaveText("Connected");
  await expect(word(late, "Gmail")).toHaveText("Pending");
  // The button stays live: an outage may be over at any moment, and the answer tells.
  const refused = await opens(late, button(row(late, "Notion"), "Connect Notion"));
  await expect(row(late, "Notion")).toContainText(AWAY);
  await closed(refused);
  await late.close();

  await at.heal();
  await expect(word(page, "Gmail")).toHaveText("Connected", { timeout: 60_000 });
  await expect(row(page, "Gmail")).not.toContainText("Nango cannot be reached.");
  await connect(page, "Notion");
  await unmoved(page);
  expect(await at.atNango()).toHaveLength(3);
});

test("denied in an outage: the window's own word counts as soon as Nango's list has no success", async ({ page, installation, guard }) => {
  guard.expectStatus(400, 500, 502, 503);
  test.setTimeout(120_000);
  const at = await installation();
  await enter(page, at);
  const popup = await opens(page, button(row(page, "Gmail"), "Connect Gmail"));
  await expect(button(popup, "Deny")).toBeVisible();
  await at.cutOff();
  await button(popup, "Deny").click();
  await expect(row(page, "Gmail")).toContainText("Nango cannot be reached.", { timeout: 20_000 });
  await at.heal();
  await expect(word(page, "Gmail")).toHaveText("Not connected", { timeout: 60_000 });
  await expect(row(page, "Gmail")).toContainText("Access was not allowed.");
});
