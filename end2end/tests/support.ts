// What every browser test has: a server of its worker, a signed-in person of its own, and a guard
// that fails the test on anything the browser complains about.
import { type BrowserContext, type Locator, type Page, test as base } from "@playwright/test";
import { Installation, type Wish } from "./servers";

export { expect } from "@playwright/test";

/** Collects what the browser complains about, in all pages of all contexts. */
export class Guard {
  readonly complaints: string[] = [];
  private readonly expected: RegExp[] = [];

  /** The browser's own line for this status is no complaint. */
  expectStatus(...statuses: number[]) {
    const start = "^Failed to load resource: the server responded with a status of";
    for (const status of statuses) this.expect(new RegExp(`${start} ${status} `));
  }

  /** The server goes away: the browser's own lines about that are no complaint. */
  expectCut() {
    this.expect(/^Failed to load resource: net::ERR_/);
  }

  /** Nango's last page closes its window even where no script opened it. */
  expectUnclosable() {
    this.expect(/^Scripts may close only the windows that were opened by them/);
  }

  /** A window that disowned its opener is not the opener's to close. */
  expectDisowned() {
    this.expect(/^Unsafe attempt to initiate navigation for frame/);
  }

  /** Without JavaScript the WASM is preloaded in vain, and Chromium says so after a few seconds. */
  expectUnusedPreload() {
    this.expect(/was preloaded using link preload but not used/);
  }

  /** A page of another origin, or a script that is none of ours, tries what it may not. */
  expectForeign() {
    this.expect(/^Failed to load resource: /);
    this.expect(/has been blocked by CORS policy/);
    this.expect(/Content Security Policy/);
    this.expect(/Refused to (display|frame|execute|load|apply|connect|run|set)/);
    this.expect(/X-Frame-Options|Cross-Origin-Resource-Policy|EventSource's response/);
  }

  private expect(line: RegExp) {
    this.expected.push(line);
  }

  watch(context: BrowserContext) {
    context.on("weberror", (error) => this.complaints.push(`error: ${error.error()}`));
    context.on("console", (message) => {
      if (!["error", "warning", "assert"].includes(message.type())) return;
      const text = message.text();
      if (this.expected.some((line) => line.test(text))) return;
      this.complaints.push(`${message.type()}: ${text} (${message.location().url})`);
    });
  }
}

interface Fixtures {
  guard: Guard;
  /** Signs somebody new in, in a browser of their own. */
  newPerson: (name?: string, at?: Installation) => Promise<Person>;
  /** The test's own person, signed in on `page`. */
  person: Person;
  /** Another server, for one test; stopped at its end. */
  installation: (wish?: Wish) => Promise<Installation>;
}

export interface Person {
  name: string;
  context: BrowserContext;
}

export function freshName() {
  const letter = () => String.fromCharCode(97 + Math.floor(Math.random() * 26));
  return Array.from({ length: 14 }, letter).join("");
}

export async function signIn(context: BrowserContext, url: string, name: string) {
  const answer = await context.request.post(`${url}/sign-in/demo`, {
    form: { name },
    headers: { origin: url },
    maxRedirects: 0,
  });
  if (answer.status() !== 303) throw new Error(`signing in: ${answer.status()}`);
}

export const test = base.extend<Fixtures, { site: Installation }>({
  site: [
    async ({}, use) => {
      const site = await Installation.start();
      await use(site);
      await site.stop();
    },
    { scope: "worker" },
  ],
  baseURL: async ({ site }, use) => use(site.url),
  guard: [
    async ({ context, site }, use, info) => {
      const guard = new Guard();
      guard.watch(context);
      await use(guard);
      if (info.status !== info.expectedStatus) console.log(site.log());
      base.expect(guard.complaints, "the browser complains").toEqual([]);
    },
    { auto: true },
  ],
  newPerson: async ({ browser, site, guard }, use) => {
    const contexts: BrowserContext[] = [];
    await use(async (name = freshName(), at = site) => {
      const context = await browser.newContext({ baseURL: at.url });
      contexts.push(context);
      guard.watch(context);
      await signIn(context, at.url, name);
      return { name, context };
    });
    for (const context of contexts) await context.close();
  },
  person: async ({ context, site, guard: _ }, use) => {
    const name = freshName();
    await signIn(context, site.url, name);
    await use({ name, context });
  },
  installation: async ({ browser, guard: _ }, use, info) => {
    const started: Installation[] = [];
    await use(async (wish) => {
      const installation = await Installation.start(wish);
      started.push(installation);
      return installation;
    });
    // Pages first: a line that is cut under them would be a complaint.
    for (const page of browser.contexts().flatMap((context) => context.pages())) await page.close();
    for (const installation of started) {
      if (info.status !== info.expectedStatus) console.log(installation.log());
      await installation.stop();
    }
  },
});

/** Goes there and waits until the island lives: before, a click is a plain form post. */
export async function open(page: Page, path = "/connectors") {
  await page.goto(path);
  await alive(page);
}

export async function alive(page: Page) {
  await page.waitForFunction(() => window.onmessage !== null);
}

/** Signs somebody new in on that server, and shows them the catalogue. */
export async function enter(page: Page, at: Installation, path = "/connectors") {
  await signIn(page.context(), at.url, freshName());
  await open(page, at.url + path);
}

/** A connector's row in the catalogue. */
export function row(page: Page, name: string): Locator {
  const link = page.getByRole("link", { name, exact: true });
  return page.getByRole("row").filter({ has: link });
}

/** The word of its status. */
export function word(page: Page, name: string): Locator {
  return row(page, name).locator(".status .word");
}

export function button(scope: Page | Locator, name: string): Locator {
  return scope.getByRole("button", { name, exact: true });
}

export const dialog = (page: Page) => page.getByRole("dialog");

/** Opens a connector's details over the list. */
export async function view(page: Page, name: string): Promise<Locator> {
  await row(page, name).getByRole("link", { name, exact: true }).click();
  await base.expect(dialog(page)).toHaveAccessibleName(name);
  return dialog(page);
}

/** Marks the document: `unmoved` tells later whether it is still the same one. */
export async function mark(page: Page) {
  await page.evaluate(() => Object.assign(window, { sameDocument: true }));
}

export async function unmoved(page: Page) {
  base.expect(await page.evaluate(() => "sameDocument" in window), "no reload").toBe(true);
}

/** Clicks what opens a window, and gives the window. */
export async function opens(page: Page, what: Locator): Promise<Page> {
  // A page behind another is not painted, and a click waits for what it paints.
  await page.bringToFront();
  const [popup] = await Promise.all([page.waitForEvent("popup"), what.click()]);
  return popup;
}

/** Connects through the window, all the way to "Connected". */
export async function connect(page: Page, name: string, account?: string) {
  const popup = await opens(page, button(row(page, name), `Connect ${name}`));
  await allow(popup, account);
  await base.expect(word(page, name)).toHaveText("Connected");
}

/** Activates what says of itself that it is off; a click of Playwright's would wait until it is
 * not. */
export async function activate(what: Locator) {
  await what.press("Enter");
}

/** Answers the consent page. */
export async function allow(popup: Page, account?: string) {
  if (account) await popup.getByRole("textbox", { name: "Account" }).fill(account);
  await button(popup, "Allow").click();
}

export async function closed(popup: Page) {
  await base.expect.poll(() => popup.isClosed(), { message: "the window closes" }).toBe(true);
}

/** Starts an attempt over REST; gives the address of Nango's window. */
export async function begin(context: BrowserContext, url: string, slug: string, body: object = {}) {
  const answer = await context.request.post(`${url}/api/v1/connectors/${slug}/connect`, {
    data: body,
  });
  if (!answer.ok()) throw new Error(`${slug}: ${answer.status()} ${await answer.text()}`);
  return (await answer.json()) as { attempt_id: string; oauth_url: string };
}

/** Connects without a browser window, for what only needs the result. `account` with "wrong" in it
 * ends as an error. */
export async function arrange(
  context: BrowserContext,
  url: string,
  slug: string,
  account = "ada@northwind.example",
) {
  const { attempt_id, oauth_url } = await begin(context, url, slug);
  const consent = await context.request.get(oauth_url);
  const hidden = [...(await consent.text()).matchAll(/type="hidden" name="(\w+)" value="([^"]*)"/g)];
  const form: Record<string, string> = { account, decision: "allow" };
  for (const [, name, value] of hidden) form[name] = value.replaceAll("&amp;", "&");
  await context.request.post(new URL("/sandbox/authorize", oauth_url).href, { form });
  await base.expect
    .poll(async () => {
      const answer = await context.request.get(`${url}/api/v1/attempts/${attempt_id}`);
      return (await answer.json()).state;
    })
    .not.toBe("open");
}

/** A catalogue with something of everything: Slack connected, Gmail pending, HubSpot in error. */
export async function arrangeAll(context: BrowserContext, url: string) {
  await arrange(context, url, "slack");
  await arrange(context, url, "hubspot", "wrong@northwind.example");
  return begin(context, url, "gmail");
}
