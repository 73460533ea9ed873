// Every auth mode of Nango from a click to "Connected": the forms with a wrong credential first, the
// windows, and the installations that wait for somebody's approval.
import type { Locator, Page } from "@playwright/test";
import { resolve } from "node:path";
import { Installation, fixtures } from "./servers";
import { allow, button, closed, dialog, enter, expect, mark, opens, row, test as common, unmoved, word } from "./support";

const PEM = (inside: string) => `-----BEGIN PRIVATE KEY-----\n${inside}\n-----END PRIVATE KEY-----`;

interface Mode {
  name: string;
  /** What anybody may see, by label. */
  open?: Record<string, string>;
  /** What nobody may. */
  secret?: Record<string, string>;
  /** The credential that decides; where it is none of the secrets, it is an open one. */
  decides: string;
  /** Nango answers nothing at all where it is wrong. */
  mute?: boolean;
}

const FORMS: Record<string, Mode> = {
  TWO_STEP: {
    name: "AgencyZoom",
    open: { Username: "ada@northwind.example" },
    secret: { Password: "pa55-two-step" },
    decides: "Password",
  },
  JWT: {
    name: "Apple App Store",
    open: { "Issuer ID": "69a6de70", "Key ID": "2X9R4HXF34" },
    secret: { "Private Key": PEM("MIGTAgEAMBMGByqG\nSM49AgEGCCqGSM49") },
    decides: "Private Key",
  },
  TBA: {
    name: "NetSuite",
    open: { "NetSuite account ID": "1234567_SB1" },
    secret: { "Token ID": "t0ken-id-tba", "Token secret": "t0ken-secret-tba" },
    decides: "Token secret",
  },
  SIGNATURE: {
    name: "Emarsys",
    open: { "API user": "northwind001" },
    secret: { "API secret": "s3cret-signature" },
    decides: "API secret",
  },
  BILL: {
    name: "Bill",
    open: { "E-mail address": "ada@northwind.example", "Organization ID": "00801ABCD" },
    secret: { Password: "pa55-bill", "Developer key": "d3v-key-bill" },
    decides: "Developer key",
    mute: true,
  },
  AWS_SIGV4: {
    name: "AWS",
    open: {
      "External ID": "4b6f0c1e-3f0a-4c52-9d07-5d1f2f6f9a10",
      "Region (optional)": "eu-central-1",
      "Role ARN": "arn:aws:iam::123456789012:role/patchbay",
    },
    decides: "Role ARN",
  },
};

/** The modes that the shipped connectors have too. */
const SHIPPED: Record<string, Mode> = {
  API_KEY: { name: "Vercel", secret: { "Vercel token": "t0ken-api-key" }, decides: "Vercel token" },
  BASIC: {
    name: "Mixpanel",
    open: { "Service account username": "amy.1234" },
    secret: { "Service account secret": "s3cret-basic" },
    decides: "Service account secret",
  },
  OAUTH2_CC: {
    name: "Personio",
    open: { "Client ID": "papi-1" },
    secret: { "Client secret": "s3cret-cc" },
    decides: "Client secret",
  },
};

const WINDOWS = {
  OAUTH1: "Trello by OAuth 1",
  APP: "GitHub App",
  CUSTOM: "GitHub App with sign-in",
  INSTALL_PLUGIN: "Crisp Plugin",
  MCP_OAUTH2: "Asana by MCP",
};

/** One server of the worker with a connector of every mode. */
const test = common.extend<{}, { modes: Installation }>({
  modes: [
    async ({}, use) => {
      const modes = await Installation.start({ manifests: resolve(fixtures, "modes"), webhooks: true });
      await use(modes);
      await modes.stop();
    },
    { scope: "worker" },
  ],
});

const field = (page: Page, label: string): Locator => dialog(page).getByRole("textbox", { name: label, exact: true });
const status = (page: Page) => dialog(page).locator(".status .word");

/** A wrong value of the same shape. */
function spoilt(value: string) {
  if (value.includes("\n")) return value.replace("\n", "\nwrong");
  return value.startsWith("arn:") ? `${value}-wrong` : `wrong-${value}`;
}

/** Neither in the HTML nor in any field. */
async function nowhere(page: Page, secrets: string[]) {
  const typed = await page.locator("input, textarea").evaluateAll((fields) => fields.map((f) => (f as HTMLInputElement).value));
  const everything = [await page.content(), page.url(), ...typed].join("\n");
  // Of a key of several lines each line counts.
  for (const line of secrets.flatMap((secret) => secret.split("\n")).filter((line) => !line.startsWith("---"))) {
    expect(everything).not.toContain(line);
  }
}

async function formConnects(page: Page, { name, open: shown = {}, secret = {}, decides, mute }: Mode) {
  const all = { ...shown, ...secret };
  await button(row(page, name), `Connect ${name}`).click();
  await expect(dialog(page)).toHaveAccessibleName(name);
  for (const label of Object.keys(secret)) {
    const masked = await field(page, label).evaluate((f) => f.matches("[type=password], textarea.secret"));
    expect(masked, `${label} is masked`).toBe(true);
  }
  const fill = async (values: Record<string, string>) => {
    for (const [label, value] of Object.entries(values)) await field(page, label).fill(value);
  };
  const submit = button(dialog(page), `Connect ${name}`);

  // Nothing typed, nothing sent.
  await submit.click();
  const first = dialog(page).locator("form#details [required]").first();
  await expect(first).toBeFocused();
  await expect(first).toHaveAttribute("aria-invalid", "true");
  await expect(word(page, name)).toHaveText("Not connected");

  const bad = { ...all, [decides]: spoilt(all[decides]) };
  await fill(bad);
  await submit.click();
  // Of a refused login some of Nango's endpoints say nothing at all.
  if (mute) {
    await expect(dialog(page)).toContainText("Nango did not say whether it worked.", { timeout: 30_000 });
    await expect(word(page, name)).toHaveText("Pending");
  } else {
    await expect(dialog(page)).toContainText("These credentials were refused.");
    await expect(word(page, name)).toHaveText("Error");
  }
  const secrets = (of: Record<string, string>) => Object.keys(secret).map((label) => of[label]);
  await nowhere(page, secrets(bad));

  const again = mute ? "Type it again" : "Reconnect";
  await button(dialog(page), `${again} ${name}`).click();
  for (const label of Object.keys(secret)) await expect(field(page, label)).toHaveValue("");
  await fill(all);
  const sent = page.waitForRequest((request) => request.method() === "POST" && /connect$/.test(new URL(request.url()).pathname));
  await submit.click();
  await expect(status(page)).toHaveText("Connected");
  await expect(dialog(page)).not.toContainText("refused");
  // Line breaks and all.
  const body: string = (await sent).postData() ?? "";
  for (const value of secrets(all)) expect(body).toContain(JSON.stringify(value));
  await nowhere(page, secrets(all));
  const hidden = page.locator("#details :is([type=password], textarea.secret)");
  expect(await hidden.evaluateAll((fields) => fields.map((f) => (f as HTMLInputElement).value))).toEqual(Object.keys(secret).map(() => ""));
  await page.keyboard.press("Escape");
  await expect(word(page, name)).toHaveText("Connected");
  expect(page.context().pages()).toHaveLength(1);
}

for (const [mode, form] of Object.entries(FORMS)) {
  test(`${mode}: ${form.name} by form`, async ({ page, modes, guard }) => {
    guard.expectStatus(422, 503);
    test.setTimeout(90_000);
    await enter(page, modes);
    await formConnects(page, form);
  });
}

for (const [mode, form] of Object.entries(SHIPPED)) {
  test(`${mode}: ${form.name} by form`, async ({ page, site, guard }) => {
    guard.expectStatus(422);
    await enter(page, site);
    await formConnects(page, form);
  });
}

test("NONE: Open data by one click", async ({ page, modes }) => {
  await enter(page, modes);
  await button(row(page, "Open data"), "Connect Open data").click();
  await expect(word(page, "Open data")).toHaveText("Connected");
  expect(page.context().pages()).toHaveLength(1);
});

for (const [mode, name] of Object.entries(WINDOWS)) {
  test(`${mode}: ${name} by window`, async ({ page, modes }) => {
    await enter(page, modes);
    const popup = await opens(page, button(row(page, name), `Connect ${name}`));
    await allow(popup);
    await expect(word(page, name)).toHaveText("Connected");
    await closed(popup);
  });
}

test("MCP_OAUTH2_GENERIC: any MCP server, by address and window", async ({ page, modes }) => {
  const name = "Any MCP server";
  await enter(page, modes);
  await button(row(page, name), `Connect ${name}`).click();
  await field(page, "MCP server").fill("https://mcp.example.com/mcp");
  await allow(await opens(page, button(dialog(page), `Connect ${name}`)));
  await expect(status(page)).toHaveText("Connected");
});

test("installations that wait for somebody's approval, and get it", async ({ page, installation }) => {
  // Nango tells nobody of an approval: the server asks once a minute.
  test.setTimeout(150_000);
  const at = await installation({ manifests: resolve(fixtures, "modes") });
  await enter(page, at);
  const app = "GitHub App with sign-in";
  const popup = await opens(page, button(row(page, app), `Connect ${app}`));
  await allow(popup, "pending@northwind.example");
  await expect(row(page, app)).toContainText("waiting for approval");
  await closed(popup);

  const outside = "Sentry integration";
  await button(row(page, outside), `Connect ${outside}`).click();
  // Its list of hosts is Nango's.
  await dialog(page).getByRole("combobox", { name: "Sentry host" }).selectOption("de.sentry.io");
  await dialog(page).getByRole("combobox", { name: "Acting as" }).selectOption("app");
  await button(dialog(page), `Connect ${outside}`).click();
  await expect(dialog(page)).toContainText(`Waiting for approval at ${outside}.`);
  await page.keyboard.press("Escape");
  expect(page.context().pages()).toHaveLength(1);

  for (const name of [app, outside]) {
    await expect(word(page, name)).toHaveText("Pending");
    // Nothing that the person could do would help; taking it back is possible.
    await expect(button(row(page, name), `Disconnect ${name}`)).toBeVisible();
    await expect(button(row(page, name), `Open window ${name}`)).toHaveCount(0);
  }
  await mark(page);
  const waiting = await at.atNango();
  expect(waiting).toHaveLength(2);
  for (const one of waiting) await at.call("POST", `/sandbox/control/connections/${one.connection_id}/approve`);
  for (const name of [app, outside]) await expect(word(page, name)).toHaveText("Connected", { timeout: 80_000 });
  await unmoved(page);
});
