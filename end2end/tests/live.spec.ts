// Every open page of a person follows every change, and nobody else's page does.
import type { Page } from "@playwright/test";
import { arrange, button, connect, expect, freshName, open, row, signIn, test, word } from "./support";

/** Notes, by the machine's clock, when the connector's status turns to this word. */
async function note(page: Page, name: string, status: string) {
  await word(page, name).evaluate((element, status) => {
    const cell = element.closest("td");
    if (!cell) throw new Error("no cell");
    new MutationObserver((_, observer) => {
      if (cell.querySelector(".word")?.textContent !== status) return;
      Object.assign(window, { turned: Date.now() });
      observer.disconnect();
    }).observe(cell, { subtree: true, childList: true, characterData: true });
  }, status);
  return async () => {
    await page.waitForFunction(() => "turned" in window);
    return page.evaluate(() => (window as unknown as { turned: number }).turned);
  };
}

test("two windows of one browser: the other follows within a second", async ({ page, context, person: _ }) => {
  await open(page);
  const other = await context.newPage();
  await open(other);
  const here = await note(page, "Gmail", "Connected");
  const there = await note(other, "Gmail", "Connected");
  await connect(page, "Gmail");
  expect((await there()) - (await here())).toBeLessThan(1000);
});

test("two browsers of one person: the other follows within a second", async ({ newPerson }) => {
  const name = freshName();
  const [one, two] = [await newPerson(name), await newPerson(name)];
  const [here, there] = [await one.context.newPage(), await two.context.newPage()];
  await open(here);
  await open(there);
  const atHere = await note(here, "Gmail", "Connected");
  const atThere = await note(there, "Gmail", "Connected");
  await connect(here, "Gmail");
  expect((await atThere()) - (await atHere())).toBeLessThan(1000);

  // And back: what the second one does, the first one shows.
  await button(row(there, "Gmail"), "Disconnect Gmail").click();
  await button(there.getByRole("dialog"), "Disconnect").click();
  await expect(word(here, "Gmail")).toHaveText("Disconnected");
});

test("eight tabs follow through one stream, also when its holder closes", async ({ context, person: _ }) => {
  const streams = new Set<string>();
  const ids = new Map<object, string>();
  context.on("request", (request) => {
    if (!request.url().endsWith("/api/v1/events")) return;
    const id = `stream ${ids.size}`;
    ids.set(request, id);
    streams.add(id);
  });
  for (const end of ["requestfinished", "requestfailed"] as const) {
    context.on(end as "requestfinished", (request) => streams.delete(ids.get(request) ?? ""));
  }
  const tabs: Page[] = [];
  for (let n = 0; n < 8; n++) {
    const tab = await context.newPage();
    await open(tab);
    tabs.push(tab);
  }
  expect(ids.size, "somebody opened a stream").toBeGreaterThan(0);
  await expect.poll(() => streams.size, { message: "open streams" }).toBe(1);

  await tabs[7].bringToFront();
  await connect(tabs[7], "Gmail");
  for (const tab of tabs) await expect(word(tab, "Gmail")).toHaveText("Connected");

  await tabs[0].close();
  await tabs[3].bringToFront();
  await connect(tabs[3], "Slack");
  for (const tab of tabs.slice(1)) await expect(word(tab, "Slack")).toHaveText("Connected");
});

test("the details and the catalogue of one person agree", async ({ page, context, person: _, site }) => {
  await open(page, "/connectors/gmail");
  await arrange(context, site.url, "gmail");
  await expect(page.locator(".accounts .status .word")).toHaveText("Connected");
});

test("two people never see each other's connections", async ({ newPerson }) => {
  const [ada, bob] = [await newPerson(), await newPerson()];
  const [hers, his] = [await ada.context.newPage(), await bob.context.newPage()];
  await open(hers);
  await open(his);
  await connect(hers, "Gmail");
  await connect(his, "Slack");
  await expect(word(hers, "Slack")).toHaveText("Not connected");
  await expect(word(his, "Gmail")).toHaveText("Not connected");
  await hers.reload();
  await his.reload();
  await expect(word(hers, "Gmail")).toHaveText("Connected");
  await expect(word(hers, "Slack")).toHaveText("Not connected");
  await expect(word(his, "Slack")).toHaveText("Connected");
  await expect(word(his, "Gmail")).toHaveText("Not connected");
});

test("signing out in one tab leads the others to the sign-in", async ({ page, context, person: _, guard }) => {
  // The other tab may have to ask: the holder of the stream is gone before it hears of the end.
  guard.expectStatus(401);
  await open(page);
  const other = await context.newPage();
  await open(other);
  await page.getByLabel(/^Account/).click();
  await button(page, "Sign out").click();
  await expect(page).toHaveURL(/\/sign-in/);
  await expect(other).toHaveURL(/\/sign-in/);
});

test("a page of whoever was signed in before gives way to the new person's", async ({ page, context, person, site }) => {
  await open(page);
  await expect(page.getByLabel(`Account: ${person.name}`)).toBeAttached();
  const name = freshName();
  await signIn(context, site.url, name);
  await open(await context.newPage());
  await expect(page.getByLabel(`Account: ${name}`)).toBeAttached();
});
