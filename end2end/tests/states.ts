// The pages a person can meet, each with the way to it: what the accessibility tests check and the
// pictures show.
import type { Page } from "@playwright/test";
import { resolve } from "node:path";
import { type Installation, fixtures } from "./servers";
import { arrange, arrangeAll, begin, button, expect, open, row, type Person } from "./support";

export interface State {
  name: string;
  go: (page: Page) => Promise<void>;
}

/** For somebody new. */
export const fresh: State[] = [
  { name: "catalogue", go: (page) => open(page) },
  { name: "catalogue without a match", go: (page) => open(page, "/connectors?q=zzzz&category=CRM") },
  { name: "details page", go: (page) => open(page, "/connectors/gmail") },
  { name: "details page with a form", go: (page) => open(page, "/connectors/freshdesk") },
  {
    name: "details page with an error in the form",
    go: async (page) => {
      await open(page, "/connectors/zendesk");
      await button(page, "Connect Zendesk").click();
      await expect(page.getByText("Zendesk subdomain is needed.")).toBeVisible();
    },
  },
  {
    name: "not found",
    go: async (page) => {
      await page.goto("/nowhere");
    },
  },
];

/** For somebody with something of everything. `attempt` is the open one; `behind` is the list
 * behind the dialogs. */
export function busy(attempt: string, behind = "/connectors"): State[] {
  return [
    {
      name: "catalogue with connections",
      go: async (page) => {
        await open(page);
        await expect(row(page, "Gmail")).toContainText("Sign in in the other window.");
      },
    },
    {
      name: "dialog",
      go: async (page) => {
        await open(page, behind);
        await row(page, "Slack").getByRole("link", { name: "Slack", exact: true }).click();
        await expect(page.getByRole("dialog").getByRole("button", { name: "Disconnect Slack" })).toBeVisible();
      },
    },
    {
      name: "dialog with a form",
      go: async (page) => {
        await open(page, behind);
        await button(row(page, "Zendesk"), "Connect Zendesk").click();
        await expect(page.getByRole("dialog").getByRole("textbox")).toBeFocused();
      },
    },
    {
      name: "confirmation",
      go: async (page) => {
        await open(page, behind);
        await button(row(page, "Slack"), "Disconnect Slack").click();
        await expect(page.getByRole("heading", { name: "Disconnect Slack?" })).toBeVisible();
        await expect(page.locator("p.skeleton")).toHaveCount(0);
      },
    },
    { name: "details page connected", go: (page) => open(page, "/connectors/slack") },
    { name: "details page pending", go: (page) => open(page, "/connectors/gmail") },
    { name: "details page in error", go: (page) => open(page, "/connectors/hubspot") },
    {
      name: "attempt page",
      go: async (page) => {
        await page.goto(`/attempts/${attempt}`);
      },
    },
    {
      name: "account menu",
      go: async (page) => {
        await page.goto("/connectors/slack");
        await page.getByLabel(/^Account/).click();
        await expect(button(page, "Sign out")).toBeVisible();
      },
    },
  ];
}

/** Connections of every status; and an attempt page that ended. */
export async function furnish(person: Person, url: string) {
  const { attempt_id } = await arrangeAll(person.context, url);
  const cancelled = (await begin(person.context, url, "notion")).attempt_id;
  await person.context.request.post(`${url}/api/v1/attempts/${cancelled}/cancel`);
  return { attempt: attempt_id, cancelled };
}

/** For these states: a connector of every auth mode, and Nango's webhooks. */
export const withModes = { manifests: resolve(fixtures, "modes"), webhooks: true };

/** What needs connectors of every auth mode: `troubled` furnishes it. */
export const special: State[] = [
  {
    name: "catalogue in trouble",
    go: async (page) => {
      await open(page, "/connectors?q=github");
      await expect(row(page, "GitHub App")).toContainText("1 needs attention");
      await expect(row(page, "GitHub App with sign-in")).toContainText("waiting for approval");
    },
  },
  {
    name: "two accounts, one broken",
    go: async (page) => {
      await open(page, "/connectors?q=github");
      await row(page, "GitHub App").getByRole("link", { name: "GitHub App", exact: true }).click();
      await expect(page.getByRole("dialog").getByRole("listitem").filter({ hasText: "Rename" })).toHaveCount(2);
    },
  },
  {
    name: "rename",
    go: async (page) => {
      await open(page, "/connectors/github-app");
      await page.locator(".rename summary").first().click();
      await expect(page.getByRole("textbox", { name: /^New name of/ })).toBeVisible();
    },
  },
  {
    name: "disconnecting one of two",
    go: async (page) => {
      await open(page, "/connectors/github-app");
      await page.getByRole("button", { name: /^Disconnect/ }).first().click();
      await expect(page.getByRole("heading", { name: /^Disconnect GitHub App .+[?]$/ })).toBeVisible();
    },
  },
  {
    name: "waiting for approval",
    go: async (page) => {
      await open(page, "/connectors/github-app-oauth");
      await expect(page.getByText("Waiting for approval at GitHub App with sign-in.")).toBeVisible();
    },
  },
  { name: "form of a two-step sign-in", go: (page) => open(page, "/connectors/agencyzoom") },
  {
    name: "form with a key of several lines",
    go: async (page) => {
      await open(page, "/connectors/apple-app-store");
      await page.getByLabel("Private Key").fill("-----BEGIN PRIVATE KEY-----\nMIGTAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----");
      await page.getByLabel("Issuer ID").fill("69a6de70-03db-47e3-e053-5b8c7c11a4d1");
      await button(page, "Connect Apple App Store").click();
      await expect(page.getByText("Key ID is needed.")).toBeVisible();
    },
  },
  { name: "form with a list", go: (page) => open(page, "/connectors/sentry-oauth") },
  { name: "form of a role", go: (page) => open(page, "/connectors/aws-sigv4") },
  { name: "nothing asked", go: (page) => open(page, "/connectors/unauthenticated") },
  {
    name: "refused credentials",
    go: async (page) => {
      await open(page, "/connectors/emarsys");
      await expect(page.getByText("These credentials were refused.").first()).toBeVisible();
    },
  },
];

/** Two accounts of one connector, one of them broken; one that waits for an approval; one whose
 * credentials were refused. */
export async function troubled({ context }: Person, at: Installation) {
  await arrange(context, at.url, "github-app");
  await arrange(context, at.url, "github-app");
  const accounts = await context.request.get(`${at.url}/api/v1/connections`);
  const ids: string[] = (await accounts.json()).connections.map((one: { id: string }) => one.id);
  for (const [n, account] of ["Northwind", "Ada's own repositories"].entries()) {
    const named = await context.request.post(`${at.url}/connections/${ids[n]}/name`, {
      form: { account },
      headers: { origin: at.url },
      maxRedirects: 0,
    });
    expect(named.status()).toBe(303);
  }
  const [newest] = await at.atNango();
  await at.revoke(newest.connection_id);
  await arrange(context, at.url, "github-app-oauth", "pending@northwind.example");
  await context.request.post(`${at.url}/api/v1/connectors/emarsys/connect`, {
    data: { credentials: { username: "northwind001", password: "wrong" } },
  });
}
