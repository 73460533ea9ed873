// Accounts of one's own: signing up and in with a password, the account page, sessions of two
// browsers; without JavaScript too.
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import type { Installation } from "./servers";
import { alive, button, expect, freshName, test } from "./support";

const PASSWORD = "a horse, correctly stapled";
const ANOTHER = "two batteries of that kind";
const OPEN = { server: { AUTH_SIGN_UP: "true" } };

const field = (page: Page, label: string) => page.getByLabel(label, { exact: true });
const alert = (page: Page) => page.getByRole("alert");
const heading = (page: Page, name: string) => page.getByRole("heading", { level: 1, name });
const sessions = (page: Page) => page.locator(".accounts > li");

async function signUp(page: Page, at: Installation) {
  const email = `${freshName()}@example.com`;
  await page.goto(`${at.url}/sign-in`);
  await page.getByRole("link", { name: "Sign up" }).click();
  await field(page, "Name").fill("Ada Lovelace");
  await field(page, "E-mail address").fill(email);
  await field(page, "Password").fill(PASSWORD);
  await button(page, "Sign up").click();
  await expect(heading(page, "Connectors")).toBeVisible();
  return email;
}

async function signIn(page: Page, at: Installation, email: string, password: string) {
  await page.goto(`${at.url}/sign-in`);
  await field(page, "E-mail address").fill(email);
  await field(page, "Password").fill(password);
  await button(page, "Sign in").click();
}

async function toAccount(page: Page) {
  await page.getByLabel(/^Account:/).click();
  await page.getByRole("link", { name: "Account", exact: true }).click();
  await expect(heading(page, "Ada Lovelace")).toBeVisible();
}

test("an account: made, refused, let in, and its password changed", async ({ page, installation, guard }) => {
  test.setTimeout(60_000);
  guard.expectStatus(401, 403, 422);
  const at = await installation(OPEN);
  const email = await signUp(page, at);
  await toAccount(page);
  await expect(page.getByRole("main")).toContainText(email);
  await expect(sessions(page)).toHaveCount(1);
  await expect(sessions(page)).toContainText("Chrome on Linux");
  await expect(sessions(page)).toContainText("This one, signed in just now");
  await page.getByLabel(/^Account:/).click();
  await button(page, "Sign out").click();

  // The address is taken: no word of that.
  await page.goto(`${at.url}/sign-up`);
  await field(page, "Name").fill("Eve");
  await field(page, "E-mail address").fill(email);
  await field(page, "Password").fill(ANOTHER);
  await button(page, "Sign up").click();
  await expect(alert(page)).toContainText("This account can’t be made here.");
  await expect(field(page, "E-mail address")).toHaveValue(email);
  await expect(field(page, "Password")).toHaveValue("");

  await signIn(page, at, email, ANOTHER);
  await expect(alert(page)).toContainText("The e-mail address or the password is wrong.");
  await expect(field(page, "E-mail address")).toHaveValue(email);
  await expect(field(page, "Password")).toHaveValue("");
  await field(page, "Password").fill(PASSWORD);
  await button(page, "Sign in").click();
  await expect(heading(page, "Connectors")).toBeVisible();

  await toAccount(page);
  await field(page, "Present password").fill("not the present one");
  await field(page, "New password").fill(ANOTHER);
  await button(page, "Change password").click();
  await expect(alert(page)).toContainText("This is not your present password.");
  await expect(field(page, "Present password")).toHaveAttribute("aria-invalid", "true");
  await expect(field(page, "Present password")).toHaveAccessibleDescription("This is not your present password.");
  await expect(field(page, "New password")).toHaveValue("");
  await field(page, "Present password").fill(PASSWORD);
  await field(page, "New password").fill(ANOTHER);
  await button(page, "Change password").click();
  await expect(page.getByRole("status")).toContainText("Your password is changed");

  await page.getByLabel(/^Account:/).click();
  await button(page, "Sign out").click();
  await signIn(page, at, email, PASSWORD);
  await expect(alert(page)).toBeVisible();
  await signIn(page, at, email, ANOTHER);
  await expect(heading(page, "Connectors")).toBeVisible();
});

test("where to go is kept through refusals and the way to sign up", async ({ page, installation, guard }) => {
  guard.expectStatus(401);
  const at = await installation(OPEN);
  await page.goto(`${at.url}/connectors/gmail`);
  await field(page, "E-mail address").fill("nobody@example.com");
  await field(page, "Password").fill("whatever it may be");
  await button(page, "Sign in").click();
  await expect(alert(page)).toBeVisible();
  await page.getByRole("link", { name: "Sign up" }).click();
  await field(page, "Name").fill("Ada Lovelace");
  await field(page, "E-mail address").fill(`${freshName()}@example.com`);
  await field(page, "Password").fill(PASSWORD);
  await button(page, "Sign up").click();
  await expect(page).toHaveURL(`${at.url}/connectors/gmail`);
});

test("two browsers: what is signed out elsewhere leaves its page", async ({ page, browser, installation, guard }) => {
  test.setTimeout(60_000);
  const at = await installation(OPEN);
  const email = await signUp(page, at);
  const context = await browser.newContext();
  guard.watch(context);
  const other = await context.newPage();
  await signIn(other, at, email, PASSWORD);
  await expect(heading(other, "Connectors")).toBeVisible();
  await alive(other);

  await toAccount(page);
  await expect(sessions(page)).toHaveCount(2);
  await sessions(page).getByRole("button", { name: /^Sign out Chrome on Linux/ }).click();
  await expect(page.getByRole("status")).toContainText("Signed out there.");
  await expect(sessions(page)).toHaveCount(1);
  // Its stream says so, and the page leaves.
  await expect(button(other, "Sign in")).toBeVisible();

  await signIn(other, at, email, PASSWORD);
  await expect(heading(other, "Connectors")).toBeVisible();
  await alive(other);
  await page.reload();
  await button(page, "Sign out everywhere else").click();
  await expect(button(other, "Sign in")).toBeVisible();
  await expect(sessions(page)).toHaveCount(1);
  await expect(button(page, "Sign out everywhere else")).toHaveCount(0);
  await context.close();
});

test("five wrong passwords, and the account rests", async ({ page, installation, guard }) => {
  guard.expectStatus(401, 429);
  const at = await installation(OPEN);
  const email = `${freshName()}@example.com`;
  for (let n = 0; n < 5; n++) {
    await signIn(page, at, email, PASSWORD);
    await expect(alert(page)).toContainText("is wrong");
  }
  await signIn(page, at, email, PASSWORD);
  await expect(alert(page)).toContainText("There were too many attempts.");
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("everything about an account is a form", async ({ page, installation, guard }) => {
    guard.expectUnusedPreload();
    guard.expectStatus(401);
    const at = await installation(OPEN);
    const email = await signUp(page, at);
    await toAccount(page);
    await field(page, "Present password").fill(PASSWORD);
    await field(page, "New password").fill(ANOTHER);
    await button(page, "Change password").click();
    await expect(page.getByRole("status")).toContainText("Your password is changed");
    await page.getByLabel(/^Account:/).click();
    await button(page, "Sign out").click();
    await signIn(page, at, email, PASSWORD);
    await expect(alert(page)).toContainText("is wrong");
    await field(page, "Password").fill(ANOTHER);
    await button(page, "Sign in").click();
    await expect(heading(page, "Connectors")).toBeVisible();
  });
});

const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

async function check(page: Page, state: string) {
  const { violations } = await new AxeBuilder({ page }).withTags(TAGS).analyze();
  expect.soft(violations.map(({ id, nodes }) => [id, nodes[0].target.join(" ")]), state).toEqual([]);
  // `innerWidth` would grow with what is too wide.
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  expect.soft(wide, `${state} scrolls sideways`).toBe(false);
}

for (const colorScheme of ["light", "dark"] as const) {
  for (const width of [320, 1280]) {
    test.describe(`${colorScheme}, ${width} px`, () => {
      test.use({ colorScheme, viewport: { width, height: 740 }, contextOptions: { reducedMotion: "reduce" } });

      test("the pages of an account can be used by everybody", async ({ page, browser, installation, guard }) => {
        test.setTimeout(60_000);
        guard.expectStatus(401, 422);
        const at = await installation(OPEN);
        await page.goto(`${at.url}/sign-in`);
        await check(page, "sign-in");
        await signIn(page, at, "a.very.long.address.of.somebody.unknown@subdomain.example.com", PASSWORD);
        await check(page, "sign-in, refused");
        await page.goto(`${at.url}/sign-up`);
        await check(page, "sign-up");
        await field(page, "Name").fill("Eve");
        await field(page, "E-mail address").fill("eve@example.com");
        await field(page, "Password").fill("passwordpassword");
        await button(page, "Sign up").click();
        await expect(alert(page)).toBeVisible();
        await check(page, "sign-up, refused");

        const email = await signUp(page, at);
        const context = await browser.newContext();
        await signIn(await context.newPage(), at, email, PASSWORD);
        await context.close();
        await toAccount(page);
        await expect(sessions(page)).toHaveCount(2);
        await check(page, "account");
        await field(page, "Present password").fill("not the present one");
        await field(page, "New password").fill(ANOTHER);
        await button(page, "Change password").click();
        await expect(alert(page)).toBeVisible();
        await check(page, "account, refused");
      });
    });
  }
}
