// WCAG 2.2 AA as far as a machine can tell: axe on every page, both themes, desktop and phone; no
// sideways scrolling at 320 px; targets that a thumb can hit.
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { allow, button, expect, open, opens, row, signIn, test } from "./support";
import { busy, fresh, furnish, special, troubled, withModes, type State } from "./states";

const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 375, height: 740 };

async function check(page: Page, state: string) {
  const { violations, passes } = await new AxeBuilder({ page }).withTags(TAGS).analyze();
  expect.soft(passes.length, `${state}: rules that had something to look at`).toBeGreaterThan(8);
  const found = violations.map(({ id, nodes }) => ({
    id,
    nodes: nodes.slice(0, 4).map((node) => `${node.target.join(" ")}: ${node.failureSummary}`),
  }));
  expect.soft(found, state).toEqual([]);
}

async function checkAll(page: Page, states: State[]) {
  for (const state of states) {
    await state.go(page);
    await check(page, state.name);
  }
}

/** Whatever reaches out of the page's right edge. */
async function isNarrow(page: Page, name: string) {
  const wide = await page.evaluate(() => {
    const elements = [document.documentElement, ...document.querySelectorAll("dialog[open], dialog[open] *, .panel *")];
    return elements
      .filter((e) => !["INPUT", "SELECT", "TEXTAREA"].includes(e.tagName))
      .filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5 || (e === document.documentElement && e.scrollWidth > 320))
      .map((e) => `${e.tagName}.${e.className}`);
  });
  expect.soft(wide, name).toEqual([]);
}

for (const colorScheme of ["light", "dark"] as const) {
  for (const [device, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
    test.describe(`${colorScheme}, ${device}`, () => {
      // Reduced motion: axe must not measure colours in the middle of a fade.
      test.use({ colorScheme, viewport, contextOptions: { reducedMotion: "reduce" } });

      test("sign-in", async ({ page }) => {
        await page.goto("/sign-in");
        await expect(button(page, "Continue as demo user")).toBeVisible();
        await check(page, "sign-in");
      });

      test("banners", async ({ page, context, installation }) => {
        // Two servers are started for it, on a machine that may be busy with another worker's.
        test.setTimeout(120_000);
        const sandbox = await installation({
          server: { NANGO_SECRET_KEY: "", NANGO_BASE_URL: "", SANDBOX_LISTEN_ADDR: "127.0.0.1:0" },
        });
        await signIn(context, sandbox.url, "banner");
        await open(page, `${sandbox.url}/connectors?q=ck`);
        await expect(page.getByText("Sandbox: accounts here are pretend.")).toBeVisible();
        await check(page, "sandbox");
        // Cookies know no ports: a page that is still open here would answer with its own session.
        await page.goto("about:blank");
        const off = await installation({ server: { NANGO_ENABLED: "false" } });
        await context.clearCookies();
        await signIn(context, off.url, "banner");
        await open(page, `${off.url}/connectors?q=ck`);
        await expect(page.getByText("Connecting is switched off on this server.")).toBeVisible();
        await check(page, "off");
        await open(page, `${off.url}/connectors/gmail`);
        await check(page, "off, details");
      });

      test("pages for somebody new", async ({ page, person: _, guard }) => {
        test.setTimeout(120_000);
        guard.expectStatus(404);
        await checkAll(page, fresh);
      });

      test("pages for somebody with connections", async ({ page, person, site }) => {
        test.setTimeout(120_000);
        const { attempt, cancelled } = await furnish(person, site.url);
        const ended = { name: "attempt page, cancelled", go: async (p: Page) => void (await p.goto(`/attempts/${cancelled}`)) };
        await checkAll(page, [...busy(attempt, "/connectors?q=ck"), ended]);
      });

      test("pages of every kind of sign-in, and with troubles", async ({ newPerson, installation }) => {
        test.setTimeout(120_000);
        const at = await installation(withModes);
        const person = await newPerson(undefined, at);
        await troubled(person, at);
        await checkAll(await person.context.newPage(), special);
      });
    });
  }
}

test("the sandbox's own pages", async ({ page, person: _, guard }) => {
  guard.expectStatus(400);
  await open(page);
  const popup = await opens(page, button(row(page, "Gmail"), "Connect Gmail"));
  await expect(button(popup, "Allow")).toBeVisible();
  await check(popup, "consent");
  const url = popup.url();
  await button(row(page, "Gmail"), "Cancel Gmail").click();
  const late = await page.context().newPage();
  await late.goto(url);
  await button(late, "Deny").click();
  await expect(late.getByRole("heading", { name: "Not connected" })).toBeVisible();
  await check(late, "not connected");
});

test.describe("at 320 px", () => {
  test.use({ viewport: { width: 320, height: 640 } });

  test("nothing scrolls sideways", async ({ page, context, person, site, guard }) => {
    test.setTimeout(120_000);
    guard.expectStatus(404);
    for (const state of fresh) {
      await state.go(page);
      await isNarrow(page, state.name);
    }
    const { attempt } = await furnish(person, site.url);
    for (const state of busy(attempt)) {
      await state.go(page);
      await isNarrow(page, state.name);
    }
    await context.clearCookies();
    await page.goto("/sign-in");
    await isNarrow(page, "sign-in");
  });

  test("nothing scrolls sideways, whatever the sign-in and the trouble", async ({ newPerson, installation }) => {
    test.setTimeout(120_000);
    const at = await installation(withModes);
    const person = await newPerson(undefined, at);
    await troubled(person, at);
    const page = await person.context.newPage();
    for (const state of special) {
      await state.go(page);
      await isNarrow(page, state.name);
    }
  });
});

test.describe("on a phone", () => {
  test.use({ viewport: PHONE, hasTouch: true });

  test("the table is a list, and its targets are 44 px high", async ({ page, person, site }) => {
    await furnish(person, site.url);
    await open(page);
    await expect(page.getByRole("columnheader", { name: "Category" })).toHaveCount(0);
    const boxes = await page.locator("tbody tr").evaluateAll((rows) =>
      rows.slice(0, 12).flatMap((row) =>
        [...row.querySelectorAll("button, a.button")]
          .filter((e) => (e as HTMLElement).offsetParent !== null)
          .map((e) => {
            const { width, height } = e.getBoundingClientRect();
            return { what: e.getAttribute("aria-label") ?? e.textContent, width, height };
          }),
      ),
    );
    expect(boxes.length).toBeGreaterThan(12);
    expect(boxes.filter((box) => box.height < 44 || box.width < 44)).toEqual([]);
    // The whole card is the name's target.
    const box = await row(page, "HubSpot").boundingBox();
    if (!box) throw new Error("no row");
    expect(box.height).toBeGreaterThanOrEqual(44);
    await page.touchscreen.tap(box.x + 40, box.y + box.height - 12);
    await expect(page.getByRole("dialog")).toHaveAccessibleName("HubSpot");
  });

  test("connects", async ({ page, person: _ }) => {
    await open(page);
    await allow(await opens(page, button(row(page, "Gmail"), "Connect Gmail")));
    await expect(row(page, "Gmail").locator(".status .word")).toHaveText("Connected");
  });
});
