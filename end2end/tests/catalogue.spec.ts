// Finding a connector: search, filters, order, all of it in the address; details over the list.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { manifest } from "./servers";
import { alive, arrange, arrangeAll, expect, open, row, signIn, test } from "./support";

const rows = (page: Page) => page.locator("tbody").getByRole("row");
const names = (page: Page) => rows(page).locator(".name").allTextContents();
const search = (page: Page) => page.getByRole("searchbox", { name: "Search connectors" });
const categories = (page: Page) => page.getByRole("navigation", { name: "Categories" });
const statuses = (page: Page) => page.getByRole("navigation", { name: "Status" });
const sort = (page: Page) => page.getByRole("combobox", { name: "Sort" });
const count = (page: Page, words: string) => page.getByRole("status").filter({ hasText: words });

test.describe("the list", () => {
  test.beforeEach(async ({ page, person: _ }) => open(page));

  test("has 99 connectors in at least 14 categories", async ({ page }) => {
    await expect(rows(page)).toHaveCount(99);
    await expect(search(page)).toHaveAttribute("placeholder", "Search 99 connectors");
    await expect(count(page, "99 connectors")).toHaveCount(1);
    const links = await categories(page).getByRole("link").allTextContents();
    expect(links.length - 1).toBeGreaterThanOrEqual(14);
    const numbers = links.map((text) => Number(/\d+$/.exec(text)?.[0]));
    expect(numbers[0]).toBe(99);
    expect(numbers.slice(1).reduce((a, b) => a + b)).toBe(99);
    for (const column of ["Connector", "Category", "Status", "Last synced", "Actions"]) {
      await expect(page.getByRole("columnheader", { name: column, exact: true })).toHaveCount(1);
    }
  });

  test("every brand has its mark", async ({ page }) => {
    const missing = await page.evaluate(async () => {
      const uses = [...document.querySelectorAll("tbody .tile use")].map((use) => use.getAttribute("href") ?? "");
      const [file] = uses[0].split("#");
      const sprite = new DOMParser().parseFromString(await (await fetch(file)).text(), "image/svg+xml");
      const wrong = uses.filter((use) => !sprite.getElementById(use.split("#")[1]));
      const bare = [...document.querySelectorAll("tbody .tile")].filter((t) => !t.textContent && !t.querySelector("use"));
      return [...wrong, ...bare.map((tile) => tile.outerHTML)];
    });
    expect(missing).toEqual([]);
    // In the brand's colour: Gmail's red, and not the text's.
    const gmail = row(page, "Gmail").locator(".tile use");
    const [mark, text] = await gmail.evaluate((use) => [use, document.body].map((e) => getComputedStyle(e)).map((s) => [s.fill, s.color]));
    expect(mark[0]).toMatch(/^oklch\(/);
    expect(mark[0]).not.toBe(text[1]);
  });

  test("narrows as one types, and the address follows", async ({ page }) => {
    await search(page).pressSequentially("gmai");
    await expect(rows(page)).toHaveCount(1);
    await expect(rows(page).first()).toContainText("Gmail");
    await expect(count(page, /^1 connector$/)).toHaveCount(1);
    await expect(page).toHaveURL(/\/connectors\?q=gmai$/);
    await page.reload();
    await expect(search(page)).toHaveValue("gmai");
    expect(await names(page)).toEqual(["Gmail"]);
    await open(page, "/connectors?q=GOOGLE+CAL");
    expect(await names(page)).toEqual(["Google Calendar"]);
    await search(page).fill("");
    await expect(rows(page)).toHaveCount(99);
    await expect(page).toHaveURL(/\/connectors$/);
  });

  test("filters by category with counts, and Back and Forward go along", async ({ page }) => {
    const crm = categories(page).getByRole("link", { name: /^CRM/ });
    const expected = Number(/\d+$/.exec((await crm.textContent()) ?? "")?.[0]);
    expect(expected).toBeGreaterThan(1);
    await crm.click();
    await expect(rows(page)).toHaveCount(expected);
    await expect(crm).toHaveAttribute("aria-current", "true");
    await expect(page).toHaveURL(/\?category=CRM$/);
    await search(page).fill("hub");
    await expect(crm).toHaveText(/CRM\s*1$/);
    await expect(page).toHaveURL(/\?q=hub&category=CRM$/);
    await search(page).fill("");
    await page.goBack();
    await expect(rows(page)).toHaveCount(99);
    await expect(page).toHaveURL(/\/connectors$/);
    await page.goForward();
    await expect(rows(page)).toHaveCount(expected);
  });

  test("sorts, in the address, and Back brings the old order back", async ({ page }) => {
    const first = (await names(page))[0];
    await sort(page).selectOption("name, Z to A");
    await expect(rows(page).first()).toContainText("Zoom");
    await expect(page).toHaveURL(/\?sort=-name$/);
    const sorted = (await names(page)).map((name) => name.toLowerCase());
    expect(sorted).toEqual([...sorted].sort((a, b) => (a < b ? 1 : -1)));
    await page.goBack();
    await expect(rows(page).first()).toContainText(first);
    await expect(sort(page).locator("option:checked")).toHaveText("connected first");
    await open(page, "/connectors?sort=category");
    await expect(rows(page).first()).toContainText("Accounting");
    await expect(sort(page).locator("option:checked")).toHaveText("category");
  });

  test("helps where nothing matches", async ({ page }) => {
    await search(page).fill("gmial");
    await expect(page.getByText("No connector matches “gmial”.")).toBeVisible();
    await expect(rows(page)).toHaveCount(0);
    await page.getByRole("link", { name: "Did you mean Gmail?" }).click();
    expect(await names(page)).toEqual(["Gmail"]);
    await expect(search(page)).toHaveValue("Gmail");
    await search(page).fill("zzzz");
    await page.getByRole("link", { name: "Clear search" }).click();
    await expect(rows(page)).toHaveCount(99);
    await expect(search(page)).toHaveValue("");
    await open(page, "/connectors?q=slack&category=CRM");
    await expect(page.getByText("No connector matches “slack” in CRM.")).toBeVisible();
    await page.getByRole("link", { name: "Show all categories" }).click();
    expect(await names(page)).toEqual(["Slack"]);
  });

  test("/ goes to the search, and is a slash inside it", async ({ page }) => {
    await page.keyboard.press("/");
    await expect(search(page)).toBeFocused();
    await expect(search(page)).toHaveValue("");
    await page.keyboard.press("/");
    await expect(search(page)).toHaveValue("/");
  });
});

test("statuses filter with counts, and connected ones come first", async ({ page, context, person: _, site }) => {
  await arrangeAll(context, site.url);
  await open(page);
  const counts = { All: 99, Connected: 1, Pending: 1, "Needs attention": 1, "Not connected": 96 };
  for (const [words, number] of Object.entries(counts)) {
    const chip = statuses(page).getByRole("link", { name: new RegExp(`^${words}\\s*${number}$`) });
    await expect(chip).toBeVisible();
  }
  expect((await names(page)).slice(0, 3)).toEqual(["HubSpot", "Gmail", "Slack"]);
  for (const [words, address, name] of [
    ["Connected", "connected", "Slack"],
    ["Pending", "pending", "Gmail"],
    ["Needs attention", "needs_attention", "HubSpot"],
  ]) {
    await statuses(page).getByRole("link", { name: new RegExp(`^${words}`) }).click();
    await expect(rows(page)).toHaveCount(1);
    expect(await names(page)).toEqual([name]);
    await expect(page).toHaveURL(new RegExp(`status=${address}$`));
  }
  // Counts follow a change at once; nobody's row jumps away from under the pointer.
  await arrange(context, site.url, "notion");
  await expect(statuses(page).getByRole("link", { name: /^Connected\s*2$/ })).toBeVisible();
  await page.reload();
  expect(await names(page)).toEqual(["HubSpot"]);
});

test.describe("details over the list", () => {
  const dialog = (page: Page) => page.getByRole("dialog");
  test.beforeEach(async ({ page, person: _ }) => open(page, "/connectors?q=gm"));

  test("View opens them at their own address; Esc leads back", async ({ page }) => {
    const view = row(page, "Gmail").getByRole("link", { name: "View Gmail" });
    await view.click();
    await expect(dialog(page)).toHaveAccessibleName("Gmail");
    await expect(page).toHaveURL(/\/connectors\/gmail$/);
    const { description, before_you_go, scopes } = manifest("gmail");
    await expect(dialog(page)).toContainText(description);
    await expect(dialog(page)).toContainText(before_you_go);
    await expect(dialog(page).getByRole("listitem")).toHaveText(
      scopes.map((scope: { grants: string }) => scope.grants),
    );
    await page.keyboard.press("Escape");
    await expect(dialog(page)).toBeHidden();
    await expect(page).toHaveURL(/\/connectors\?q=gm$/);
    await expect(search(page)).toHaveValue("gm");
    await expect(view).toBeFocused();
  });

  test("Back closes them, Forward opens them again, Cancel closes them", async ({ page }) => {
    await row(page, "Gmail").getByRole("link", { name: "Gmail", exact: true }).click();
    await expect(dialog(page)).toBeVisible();
    await page.goBack();
    await expect(dialog(page)).toBeHidden();
    await expect(page).toHaveURL(/\?q=gm$/);
    await page.goForward();
    await expect(dialog(page)).toHaveAccessibleName("Gmail");
    await dialog(page).getByRole("link", { name: "Cancel" }).click();
    await expect(dialog(page)).toBeHidden();
    await expect(page).toHaveURL(/\?q=gm$/);
  });

  test("after a reload Back still leads to the list", async ({ page }) => {
    await row(page, "Gmail").getByRole("link", { name: "Gmail", exact: true }).click();
    await expect(dialog(page)).toHaveAccessibleName("Gmail");
    await page.reload();
    await alive(page);
    await expect(page.locator("div.panel")).toBeVisible();
    await page.goBack();
    await expect(page).toHaveURL(/\?q=gm$/);
    await expect(page.getByRole("row").first()).toBeVisible();
    await expect(page.locator("div.panel")).toHaveCount(0);
  });

  test("their address shows them as a page of its own", async ({ page }) => {
    await page.goto("/connectors/gmail");
    await expect(page.getByRole("heading", { level: 1, name: "Gmail" })).toBeVisible();
    await expect(page).toHaveTitle("Gmail · Patchbay");
    await expect(page.getByText(manifest("gmail").description)).toBeVisible();
    await page.getByRole("link", { name: "All connectors" }).click();
    await expect(page).toHaveURL(/\/connectors$/);
  });

  test("a middle click opens the page in a tab of its own", async ({ page, context }) => {
    const [tab] = await Promise.all([
      context.waitForEvent("page"),
      row(page, "Gmail").getByRole("link", { name: "View Gmail" }).click({ modifiers: ["ControlOrMeta"] }),
    ]);
    await expect(tab.getByRole("heading", { level: 1, name: "Gmail" })).toBeVisible();
    await expect(dialog(page)).toBeHidden();
  });
});

test("addresses that lead nowhere say so", async ({ page, person: _, guard }) => {
  guard.expectStatus(404);
  for (const [path, words] of [
    ["/nowhere", "There is no page at this address."],
    ["/connectors/nowhere", "There is no such connector."],
    ["/attempts/nowhere", "There is no such attempt."],
    ["/attempts/00000000-0000-4000-8000-000000000000", "There is no such attempt."],
  ]) {
    const answer = await page.goto(path);
    expect(answer?.status(), path).toBe(404);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText(words);
    await page.getByRole("link", { name: "All connectors" }).click();
    await expect(rows(page)).toHaveCount(99);
  }
});

test("someone who is signed out signs in and comes back to where they were going", async ({ page }) => {
  await page.goto("/connectors?category=CRM");
  await expect(page).toHaveURL(/\/sign-in\?next=/);
  await page.getByRole("button", { name: "Continue as demo user" }).click();
  await expect(page).toHaveURL(/\/connectors\?category=CRM$/);
});

/** Milliseconds from a key in the search to the rows it leaves, laid out; the median of many. */
async function searchTime(page: Page) {
  return page.evaluate(async () => {
    const input = document.querySelector<HTMLInputElement>("#search");
    if (!input) throw new Error("no search");
    const texts = ["g", "go", "goo", "goog", "goo", "go", "g", "", "s", "sa", "s", "", "c", "cr", "c", ""];
    const times: number[] = [];
    for (const text of [...texts, ...texts, ...texts]) {
      const start = performance.now();
      input.value = text;
      input.dispatchEvent(new InputEvent("input", { bubbles: true }));
      // Effects run in tasks of their own, behind this one.
      await new Promise((done) => setTimeout(done));
      document.body.getBoundingClientRect();
      times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    return times[Math.floor(times.length / 2)];
  });
}

test("1,000 connectors are searched about as quickly as 99", async ({ page, context, person: _, installation }) => {
  test.setTimeout(90_000);
  const dir = mkdtempSync(join(tmpdir(), "patchbay-manifests-"));
  const model = manifest("gmail");
  for (let n = 1; n <= 901; n++) {
    const slug = `made-up-${n}`;
    const copy = { ...model, slug, name: `Made Up ${n}`, icon: { color: "#EA4335", monogram: "MU" } };
    copy.nango = { ...model.nango, provider_key: slug, provider: "google-mail" };
    delete copy.$schema;
    writeFileSync(join(dir, `${slug}.json`), JSON.stringify(copy));
  }
  const big = await installation({ manifests: dir });
  rmSync(dir, { recursive: true });
  await open(page);
  const few = await searchTime(page);
  await signIn(context, big.url, "thousand");
  await open(page, `${big.url}/connectors`);
  await expect(search(page)).toHaveAttribute("placeholder", "Search 1000 connectors");
  await expect(rows(page)).toHaveCount(150);
  const many = await searchTime(page);
  test.info().annotations.push({ type: "ms", description: `99: ${few.toFixed(1)}, 1000: ${many.toFixed(1)}` });
  console.log(`search, median: ${few.toFixed(1)} ms with 99, ${many.toFixed(1)} ms with 1,000`);
  expect(many / few).toBeLessThanOrEqual(5);
  await page.getByRole("link", { name: "Show all 1000" }).click();
  await expect(rows(page)).toHaveCount(1000);
  await search(page).fill("made up 777");
  await expect(rows(page)).toHaveCount(1);
});
