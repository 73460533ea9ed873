// Starts what a person would start: `patchbay sandbox` and `patchbay serve`, as processes of their
// own on free ports, with everything they write in a directory that goes away again.
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { constants, copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const end2end = resolve(import.meta.dirname, "..");
const built = resolve(end2end, process.env.PATCHBAY_BINARY ?? "../target/release/patchbay");

let alone: string | undefined;
/** The binary, copied into a folder with nothing else in it, and run from folders that are empty: what
 * is not inside it is missing. */
export function binary() {
  if (!alone) {
    const folder = mkdtempSync(join(tmpdir(), "patchbay-alone-"));
    alone = join(folder, "patchbay");
    copyFileSync(built, alone, constants.COPYFILE_FICLONE);
    process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  }
  return alone;
}
export const fixtures = resolve(end2end, "../tests/fixtures/manifests");

/** How Chromium is started: the machine's own one, quiet about everything but the page. */
export const launch = {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
  ],
};

/** A connector's manifest, as it ships. */
export function manifest(slug: string) {
  return JSON.parse(readFileSync(resolve(end2end, `../manifests/${slug}.json`), "utf8"));
}

type Environment = Record<string, string>;

/** A process of the server's binary. */
export class Running {
  private child?: ChildProcess;
  private text = "";

  constructor(
    private readonly args: string[],
    private readonly dir: string,
    private readonly env: Environment,
  ) {}

  async start(answers: string) {
    // Only what is given: a NANGO_SECRET_KEY of the shell must not leak into a test.
    const env = { PATH: process.env.PATH ?? "", HOME: this.dir, ...this.env };
    const child = spawn(binary(), this.args, { cwd: this.dir, env });
    this.child = child;
    let failed: Error | undefined;
    child.on("error", (error) => (failed = error));
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (data) => (this.text += data));
    }
    const end = Date.now() + 20_000;
    for (;;) {
      if (failed) throw failed;
      if (child.exitCode !== null || Date.now() > end) {
        await this.stop();
        throw new Error(`${this.args[0]} does not answer:\n${this.text}`);
      }
      const answer = await fetch(answers).catch(() => undefined);
      if (answer?.ok) return;
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  async stop() {
    const child = this.child;
    this.child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((done) => child.once("exit", done));
    child.kill("SIGKILL");
    await gone;
  }

  /** What it wrote last. */
  log(lines = 60) {
    return this.text.split("\n").slice(-lines).join("\n");
  }
}

/** A port nobody listens on. Below the range the kernel hands out for outgoing connections (32768 and
 * up): from that one, another server's call to its sandbox could take it before it is listened on. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    const free = await new Promise<boolean>((done) => {
      const server = createServer();
      server.once("error", () => done(false));
      server.listen(port, "127.0.0.1", () => server.close(() => done(true)));
    });
    if (free) return port;
  }
}

export interface Wish {
  /** Variables of the server; an empty one is unset. */
  server?: Environment;
  manifests?: string;
  /** Nango sends its webhooks to this server; without, as on a laptop, it sends none. */
  webhooks?: boolean;
  /** Between the sandbox's start and the server's. */
  before?: (installation: Installation) => Promise<void>;
}

/** A server with its sandbox. */
export class Installation {
  url = "";
  nango = "";
  readonly key = randomUUID();
  /** What else nobody may ever see. */
  readonly secrets = { "the signing key": randomUUID() };
  private readonly dir = mkdtempSync(join(tmpdir(), "patchbay-"));
  private sandbox!: Running;
  private server!: Running;

  static async start(wish: Wish = {}): Promise<Installation> {
    const self = new Installation();
    const [port, sandboxPort] = [await freePort(), await freePort()];
    self.url = `http://127.0.0.1:${port}`;
    self.nango = `http://127.0.0.1:${sandboxPort}`;
    const manifests: Environment = wish.manifests ? { MANIFESTS_DIR: wish.manifests } : {};
    const signingKey = self.secrets["the signing key"];
    const hook = [
      ...["--webhook-url", `${self.url}/api/v1/webhooks/nango`],
      "--allow-loopback-webhooks",
    ];
    self.sandbox = new Running(
      [
        "sandbox",
        ...["--listen", `127.0.0.1:${sandboxPort}`],
        ...["--state", join(self.dir, "sandbox.json")],
        // The tests of a worker are quicker than any person.
        "--unlimited",
        ...(wish.webhooks ? hook : []),
      ],
      self.dir,
      { SANDBOX_SECRET_KEY: self.key, NANGO_WEBHOOK_SIGNING_KEY: signingKey, ...manifests },
    );
    self.server = new Running(["serve"], self.dir, {
      LISTEN_ADDR: `127.0.0.1:${port}`,
      DATABASE_URL: `sqlite:${join(self.dir, "patchbay.db")}`,
      NANGO_SECRET_KEY: self.key,
      NANGO_BASE_URL: self.nango,
      NANGO_CALLS_PER_MINUTE: "100000",
      ...(wish.webhooks ? { NANGO_WEBHOOK_SIGNING_KEY: signingKey } : {}),
      RUST_LOG: "info",
      ...manifests,
      ...wish.server,
    });
    try {
      await self.startNango();
      await wish.before?.(self);
      await self.server.start(`${self.url}/health/ready`);
    } catch (error) {
      await self.stop();
      throw error;
    }
    return self;
  }

  async startNango() {
    await this.sandbox.start(`${this.nango}/health`);
  }

  async stopNango() {
    await this.sandbox.stop();
  }

  /** As an upgrade would: a moment without a server. */
  async restartServer() {
    await this.server.stop();
    await this.server.start(`${this.url}/health/ready`);
  }

  async stop() {
    await this.server?.stop();
    await this.sandbox?.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** A call to the sandbox with its own key; the answer's JSON. */
  async call(method: string, path: string, body?: unknown) {
    const answer = await fetch(this.nango + path, {
      method,
      headers: { authorization: `Bearer ${this.key}`, "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  /** The connections that exist at Nango. */
  async atNango(): Promise<{ connection_id: string; provider_config_key: string }[]> {
    return (await this.call("GET", "/connections")).connections;
  }

  /** Orders a fault of the sandbox; see `src/server/sandbox/faults.rs`. */
  async fault(order: object) {
    await this.call("POST", "/sandbox/control/faults", order);
  }

  async heal() {
    await this.call("DELETE", "/sandbox/control/faults");
  }

  /** Nango is there, and our server can't reach it; the person's windows can. */
  async cutOff() {
    for (const path_prefix of ["/connect", "/integrations", "/providers"]) {
      await this.fault({ drop_connection: true, path_prefix, probability: 1 });
    }
    await this.fault({ cut_sockets: true, drop_websocket: true });
  }

  /** The provider takes the access back, and Nango's refresh fails. */
  async revoke(connection: string) {
    await this.call("POST", `/sandbox/control/connections/${connection}/break`);
  }

  log(lines = 60) {
    return `--- server\n${this.server.log(lines)}\n--- sandbox\n${this.sandbox.log(lines)}`;
  }
}
