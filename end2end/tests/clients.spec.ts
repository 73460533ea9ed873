// Clients that nobody here wrote: Nango's own packages against the sandbox. What they can't tell from
// the real thing is what the product is built on.
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type IncomingHttpHeaders, type Server, createServer } from "node:http";
import { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Nango } from "@nangohq/node";
import { type Page, expect, test as base } from "@playwright/test";
import { Running, freePort } from "./servers";

const sdk = resolve(import.meta.dirname, "../node_modules/@nangohq/frontend/dist");

const page = `<!doctype html><title>A product</title>
<button>Connect</button><output></output>
<script type="module">
  import Nango from "/sdk/index.js";
  const query = new URLSearchParams(location.search);
  const { host, token, key, options } = JSON.parse(query.get("order"));
  const nango = new Nango({ host, connectSessionToken: token });
  const say = (said) => (document.querySelector("output").textContent = JSON.stringify(said));
  document.querySelector("button").onclick = () =>
    nango.auth(key, options).then(
      (made) => say({ made }),
      (error) => say({ type: error.type, message: error.message }),
    );
</script>`;

interface Webhook {
  headers: IncomingHttpHeaders;
  body: string;
}

/** A sandbox, and beside it a product: a page with Nango's package, and a place for webhooks. */
class Bench {
  readonly key = randomUUID();
  readonly signingKey = randomUUID();
  readonly webhooks: Webhook[] = [];
  nango = "";
  product = "";
  private readonly dir = mkdtempSync(join(tmpdir(), "patchbay-clients-"));
  private sandbox!: Running;
  private server!: Server;

  static async start() {
    const self = new Bench();
    self.server = createServer((request, response) => {
      let body = "";
      request.on("data", (part) => (body += part));
      request.on("end", () => {
        const path = new URL(request.url ?? "/", "http://product").pathname;
        if (request.method === "POST") self.webhooks.push({ headers: request.headers, body });
        const file = path.startsWith("/sdk/") ? join(sdk, path.slice(5)) : undefined;
        const type = file ? "text/javascript" : "text/html";
        response.writeHead(200, { "content-type": type });
        response.end(file ? readFileSync(file) : page);
      });
    });
    await new Promise<void>((done) => self.server.listen(0, "127.0.0.1", done));
    self.product = `http://127.0.0.1:${(self.server.address() as AddressInfo).port}`;
    const port = await freePort();
    self.nango = `http://127.0.0.1:${port}`;
    const args = ["sandbox", "--listen", `127.0.0.1:${port}`];
    const kept = ["--state", join(self.dir, "sandbox.json"), "--unlimited"];
    const hook = ["--webhook-url", `${self.product}/hook`, "--allow-loopback-webhooks"];
    self.sandbox = new Running([...args, ...kept, ...hook], self.dir, {
      SANDBOX_SECRET_KEY: self.key,
      NANGO_WEBHOOK_SIGNING_KEY: self.signingKey,
    });
    await self.sandbox.start(`${self.nango}/health`);
    return self;
  }

  async stop() {
    await this.sandbox.stop();
    this.server.close();
    this.server.closeAllConnections();
    rmSync(this.dir, { recursive: true, force: true });
  }

  client(key = this.key) {
    return new Nango({ host: this.nango, secretKey: key, webhookSigningKey: this.signingKey });
  }

  async token(user: string, integration: string) {
    const wish = { tags: { end_user_id: user }, allowed_integrations: [integration] };
    return (await this.client().createConnectSession(wish)).data.token;
  }

  /** The person behind the popup, without a browser. */
  async consent(token: string, integration: string, decision: string) {
    const url = `${this.nango}/oauth/connect/${integration}?connect_session_token=${token}`;
    const answer = await fetch(`${this.nango}/sandbox/control/consent`, {
      method: "POST",
      headers: { authorization: `Bearer ${this.key}`, "content-type": "application/json" },
      body: JSON.stringify({ oauth_url: url, decision }),
    });
    return answer.json();
  }

  /** The webhook about this connection. */
  async webhook(connectionId: string): Promise<Webhook> {
    const found = () => this.webhooks.find(({ body }) => body.includes(connectionId));
    await expect.poll(found).toBeTruthy();
    return found()!;
  }
}

const test = base.extend<{}, { bench: Bench }>({
  bench: [
    async ({}, use) => {
      const bench = await Bench.start();
      await use(bench);
      await bench.stop();
    },
    { scope: "worker" },
  ],
});

/** How axios tells a refusal. */
async function refusal(call: Promise<unknown>) {
  const error = await call.then(
    () => undefined,
    (error) => error,
  );
  expect(error, "a refusal").toBeTruthy();
  return { status: error.response?.status, code: error.response?.data?.error?.code };
}

test.describe("@nangohq/node", () => {
  test("session, list, get, reconnect, delete", async ({ bench }) => {
    const nango = bench.client();
    const { configs } = await nango.listIntegrations();
    expect(configs.map(({ unique_key }) => unique_key)).toContain("slack");

    const user = randomUUID();
    const { outcome } = await bench.consent(await bench.token(user, "slack"), "slack", "allow");
    expect(outcome).toBe("success");
    const find = async () =>
      (await nango.listConnections({ tags: { end_user_id: user } })).connections;
    const [made] = await find();
    expect(made).toMatchObject({ provider_config_key: "slack", errors: [] });
    const id = made.connection_id;
    const whole = await nango.getConnection("slack", id);
    expect(whole).toMatchObject({ connection_id: id, credentials: { type: "OAUTH2" } });

    const wish = { connection_id: id, integration_id: "slack", tags: { end_user_id: user } };
    const again = (await nango.createReconnectSession(wish)).data;
    expect(again.connect_link).toContain(again.token);
    expect(await bench.consent(again.token, "slack", "allow")).toMatchObject({ connection_id: id });
    expect(await find()).toHaveLength(1);

    expect((await nango.deleteConnection("slack", id)).data).toEqual({ success: true });
    expect(await find()).toHaveLength(0);
  });

  test("what is refused", async ({ bench }) => {
    const nango = bench.client();
    const missing = refusal(nango.getConnection("slack", "nobody"));
    expect(await missing).toEqual({ status: 404, code: "not_found" });
    const gone = refusal(nango.deleteConnection("slack", "nobody"));
    expect(await gone).toEqual({ status: 400, code: "unknown_connection" });
    const nowhere = refusal(
      nango.createConnectSession({ tags: {}, allowed_integrations: ["nowhere"] }),
    );
    expect(await nowhere).toEqual({ status: 400, code: "invalid_body" });
    const unknown = refusal(
      nango.createReconnectSession({ connection_id: "nobody", integration_id: "slack" }),
    );
    expect(await unknown).toEqual({ status: 400, code: "invalid_body" });
    const stranger = refusal(bench.client(randomUUID()).listConnections({}));
    expect(await stranger).toEqual({ status: 401, code: "unknown_account" });
  });

  test("a webhook verifies, and no other does", async ({ bench }) => {
    const nango = bench.client();
    const token = await bench.token("Ünïcode ✓ <b>&\"", "slack");
    const { connection_id: id } = await bench.consent(token, "slack", "allow");
    const { headers, body } = await bench.webhook(id);
    expect(nango.verifyIncomingWebhookRequest(body, headers)).toBe(true);
    expect(nango.verifyIncomingWebhookRequest(body.replace("slack", "slacks"), headers)).toBe(false);
    const legacy = headers["x-nango-signature"] as string;
    expect(nango.verifyWebhookSignature(legacy, JSON.parse(body))).toBe(true);
    const swapped = { ...headers, "x-nango-hmac-sha256": legacy };
    expect(nango.verifyIncomingWebhookRequest(body, swapped)).toBe(false);
    // The secret key is another key.
    const unaware = new Nango({ host: bench.nango, secretKey: bench.key });
    expect(unaware.verifyIncomingWebhookRequest(body, headers)).toBe(false);
  });
});

test.describe("@nangohq/frontend", () => {
  /** Opens the product's page and presses its button. */
  async function start(page: Page, bench: Bench, key: string, user: string, options?: object) {
    const order = { host: bench.nango, token: await bench.token(user, key), key, options };
    await page.goto(`${bench.product}/?order=${encodeURIComponent(JSON.stringify(order))}`);
    const popup = options && "credentials" in options ? undefined : page.waitForEvent("popup");
    await page.getByRole("button").click();
    return popup;
  }

  async function said(page: Page) {
    await expect(page.locator("output")).not.toBeEmpty();
    return JSON.parse((await page.locator("output").textContent())!);
  }

  test("auth() to success", async ({ bench, page }) => {
    const user = randomUUID();
    const popup = await start(page, bench, "slack", user);
    await popup!.getByRole("button", { name: "Allow" }).click();
    const { made } = await said(page);
    const { connections } = await bench.client().listConnections({ tags: { end_user_id: user } });
    expect(made).toEqual({
      providerConfigKey: "slack",
      connectionId: connections[0].connection_id,
      isPending: false,
    });
  });

  test("auth() to denial", async ({ bench, page }) => {
    const popup = await start(page, bench, "slack", "denier");
    await popup!.getByRole("button", { name: "Deny" }).click();
    const { type, message } = await said(page);
    expect(type).toBe("callback_err");
    expect(message).toContain("access_denied");
  });

  test("auth() to a closed window", async ({ bench, page }) => {
    const popup = await start(page, bench, "slack", "leaver", { detectClosedAuthWindow: true });
    await popup!.getByRole("button", { name: "Allow" }).waitFor();
    await popup!.close();
    expect((await said(page)).type).toBe("window_closed");
  });

  test("auth() with a typed key, across origins", async ({ bench, page }) => {
    const user = randomUUID();
    await start(page, bench, "resend", user, { credentials: { apiKey: "re_good" } });
    expect((await said(page)).made).toMatchObject({ providerConfigKey: "resend" });
    await start(page, bench, "resend", user, { credentials: { apiKey: "re_wrong" } });
    expect((await said(page)).type).toBe("connection_test_failed");
  });
});
