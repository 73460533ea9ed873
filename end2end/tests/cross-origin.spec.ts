// Other sites, in a real browser with a real session: they try to make it connect, disconnect and sign
// out, and to read what is ours. Nothing happens, and the server's log says why.
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "@playwright/test";
import type { Installation } from "./servers";
import { arrange, enter, expect, freshName, signIn, test } from "./support";

/** An empty page of another origin; what it does is put into it by the test. */
async function elsewhere(host: string): Promise<{ url: string; server: Server }> {
  const server = createServer((_, answer) => {
    answer.setHeader("content-type", "text/html");
    answer.end("<!doctype html><title>Elsewhere</title><link rel=icon href=data:,><body>");
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return { url: `http://${host}:${(server.address() as AddressInfo).port}`, server };
}

/** Everything that changes something, as a page would ask for it. */
const CHANGES = [
  "/connectors/gmail/connect",
  "/connectors/slack/disconnect",
  "/api/v1/connectors/gmail/connect",
  "/api/v1/connectors/slack/disconnect",
  "/api/v1/connectors/slack/reconnect",
  "/api/fn/catalogue_page",
  "/sign-in/demo",
  "/sign-out",
];

/** What can be looked at. */
const SECRETS = [
  "/connectors",
  "/api/v1/connections",
  "/api/v1/connectors",
  "/api/v1/events",
  "/api/v1/openapi.json",
];

/** What the person has: unchanged is nothing happened. The session is asked through the cookie jar,
 * without the page. */
async function standing(page: Page, site: Installation) {
  const answer = await page.request.get(`${site.url}/api/v1/connections`);
  expect(answer.status(), "still signed in").toBe(200);
  const { connections } = await answer.json();
  return connections.map((c: Record<string, unknown>) => [c.connector, c.status, c.version]);
}

/** The log's lines about refused requests, by path. */
function refused(site: Installation, path: string) {
  const plain = site.log(10_000).replaceAll(/\x1b\[[0-9;]*m/g, "");
  return plain
    .split("\n")
    .filter((line) => line.includes("the request came from another site"))
    .filter((line) => line.includes(`path="${path}"`));
}

// A port of the same host is another origin, but the same site: `SameSite` does not hold its requests
// back, so the cookie comes along. By another name it is another site.
for (const [what, host, site] of [
  ["another port", "127.0.0.1", "same-site"],
  ["another name", "localhost", "cross-site"],
]) {
  test.describe(`from ${what}`, () => {
    let other: { url: string; server: Server };
    test.beforeEach(async () => {
      other = await elsewhere(host);
    });
    test.afterEach(() => other.server.close());

    test("nothing can be changed by fetch", async ({ page, installation, guard }) => {
      const ours = await installation();
      await enter(page, ours);
      await arrange(page.context(), ours.url, "slack");
      const before = await standing(page, ours);
      await page.goto(other.url);
      // The browser says of each that it was not ours to read, or refused.
      guard.expectForeign();
      for (const path of CHANGES) {
        for (const [mode, type, body] of [
          ["cors", "application/json", "{}"],
          ["cors", "text/plain", "{}"],
          ["no-cors", "text/plain", "{}"],
          ["no-cors", "application/x-www-form-urlencoded", "connection_id="],
        ]) {
          const read = await page.evaluate(
            async ([to, mode, type, body]) => {
              const options = { method: "POST", mode: mode as RequestMode, body };
              const headers = { "content-type": type };
              return fetch(to, { ...options, credentials: "include", headers })
                .then((answer) => answer.text())
                .catch(() => "");
            },
            [ours.url + path, mode, type, body],
          );
          expect(read, `${mode} ${path}`).toBe("");
        }
        const method = await page.evaluate(async (to) => {
          const options = { method: "PATCH", body: "{}" };
          return fetch(to, { ...options, credentials: "include" }).then(
            () => "sent",
            () => "",
          );
        }, ours.url + path);
        expect(method).toBe("");
        await page.evaluate((to) => navigator.sendBeacon(to, "a=b"), ours.url + path);
      }
      await expect.poll(() => CHANGES.filter((path) => !refused(ours, path).length)).toEqual([]);
      const [line] = refused(ours, "/sign-out");
      expect(line).toContain(`sec_fetch_site="${site}"`);
      expect(line).toContain(`origin="${other.url}"`);
      expect(await standing(page, ours)).toEqual(before);
      // The sandbox's stand beside it: cookies know no ports.
      const cookies = await page.context().cookies(ours.url);
      const session = cookies.find((cookie) => cookie.name === "patchbay");
      expect(ours.log(10_000)).not.toContain(session?.value ?? "no session");
    });

    for (const type of [
      "application/x-www-form-urlencoded",
      "text/plain",
      "multipart/form-data",
    ]) {
      test(`nothing can be changed by a form of ${type}`, async ({ page, installation, guard }) => {
        const ours = await installation();
        await enter(page, ours);
        await arrange(page.context(), ours.url, "slack");
        const before = await standing(page, ours);
        guard.expectStatus(403);
        for (const path of CHANGES) {
          // A page of its own for each: what a refused one leads to must not meet the next.
          const tab = await page.context().newPage();
          await tab.goto(other.url);
          const answered = tab.waitForResponse((answer) => answer.url() === ours.url + path);
          await tab.evaluate(
            ([to, type]) => {
              const form = document.createElement("form");
              Object.assign(form, { action: to, method: "post", enctype: type });
              const field = document.createElement("input");
              Object.assign(field, { type: "hidden", name: '{"a":"', value: '"}' });
              form.append(field);
              document.body.append(form);
              form.submit();
            },
            [ours.url + path, type],
          );
          const answer = await answered;
          expect(answer.status(), path).toBe(403);
          expect(answer.headers()["content-type"], path).toBe("application/problem+json");
          await tab.close();
          const why = () => refused(ours, path).join("\n");
          await expect.poll(why, { message: path }).toContain(`sec_fetch_site="${site}"`);
        }
        expect(await standing(page, ours)).toEqual(before);
      });
    }

    test("nothing can be read or framed", async ({ page, installation, guard }) => {
      const ours = await installation();
      await enter(page, ours);
      const { attempt_id } = await (
        await page.request.post(`${ours.url}/api/v1/connectors/gmail/connect`, { data: {} })
      ).json();
      const before = await standing(page, ours);
      await page.goto(other.url);
      guard.expectForeign();
      const addresses = [...SECRETS, `/attempts/${attempt_id}`, "/health/live"];
      for (const path of addresses) {
        const to = ours.url + path;
        const got = await page.evaluate(async (to) => {
          const found: string[] = [];
          for (const mode of ["cors", "no-cors"] as RequestMode[]) {
            const text = await fetch(to, { mode, credentials: "include" })
              .then((answer) => answer.text())
              .catch(() => "");
            if (text) found.push(`${mode}: ${text}`);
          }
          const element = async (tag: "img" | "script" | "iframe" | "object" | "embed") => {
            const made = document.createElement(tag);
            const ended = new Promise<string>((done) => {
              made.onload = () => done("load");
              made.onerror = () => done("error");
              setTimeout(() => done("nothing"), 1500);
            });
            if (tag === "object") made.setAttribute("data", to);
            else made.setAttribute("src", to);
            document.body.append(made);
            const how = await ended;
            if (tag === "iframe") {
              // A refused frame loads the browser's own page, which nobody may look into either.
              const inside = (made as HTMLIFrameElement).contentDocument;
              if (inside?.body?.textContent) found.push(`iframe: ${inside.body.textContent}`);
            } else if (how === "load" && tag !== "object" && tag !== "embed") {
              found.push(`${tag}: loaded`);
            }
            made.remove();
          };
          await Promise.all((["img", "script", "iframe", "object", "embed"] as const).map(element));
          return found;
        }, to);
        expect(got, path).toEqual([]);
      }
      // An event stream with the person's cookie.
      const streamed = await page.evaluate(
        (to) =>
          new Promise<string>((done) => {
            const stream = new EventSource(to, { withCredentials: true });
            stream.addEventListener("snapshot", (event) => done(event.data));
            stream.onerror = () => done("");
          }),
        `${ours.url}/api/v1/events`,
      );
      expect(streamed).toBe("");
      expect(await standing(page, ours)).toEqual(before);
    });

    test("a frame shows nothing", async ({ page, installation, guard }) => {
      const ours = await installation();
      await enter(page, ours);
      await page.goto(other.url);
      guard.expectForeign();
      await page.evaluate((to) => {
        const frame = document.createElement("iframe");
        frame.src = to;
        document.body.append(frame);
      }, `${ours.url}/connectors`);
      const frame = page.frames().find((f) => f !== page.mainFrame());
      // What was refused is the browser's own page.
      await expect.poll(() => frame?.url()).toMatch(/^chrome-error:/);
    });
  });
}

test("a page of ours does all of that", async ({ page, installation }) => {
  const ours = await installation();
  await enter(page, ours);
  // The counterpart: what is refused above for its origin alone.
  const status = await page.evaluate(async () => {
    const answer = await fetch("/api/v1/connectors/gmail/connect", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    return answer.status;
  });
  expect(status).toBe(200);
  await signIn(page.context(), ours.url, freshName());
  expect(refused(ours, "/api/v1/connectors/gmail/connect")).toEqual([]);
});

test("the page's own policy holds", async ({ page, installation, guard }) => {
  const ours = await installation();
  await enter(page, ours);
  guard.expectForeign();
  // Whatever gets into the page: no script of it runs, no style of it counts, nothing is sent away.
  const done = await page.evaluate(async () => {
    const ran: string[] = [];
    Object.assign(window, { ran });
    const script = document.createElement("script");
    script.textContent = "window.ran.push('inline')";
    document.body.append(script);
    const box = document.createElement("div");
    box.innerHTML = `<img src="/nothing" onerror="window.ran.push('handler')">
      <p style="position:fixed">styled</p>`;
    document.body.append(box);
    const anchor = document.createElement("a");
    anchor.href = "javascript:window.ran.push('link')";
    box.append(anchor);
    anchor.click();
    // Later, when it is the page's own doing: what the browser's tools evaluate is free to.
    setTimeout(() => {
      try {
        new Function("window.ran.push('eval')")();
      } catch {}
    });
    const sent = await fetch("http://127.0.0.1:9/", { mode: "no-cors" }).then(
      () => "sent",
      (error) => `${error}`,
    );
    const base = document.createElement("base");
    base.href = "http://127.0.0.1:9/";
    document.head.append(base);
    await new Promise((later) => setTimeout(later, 500));
    return {
      ran,
      position: getComputedStyle(box.querySelector("p")!).position,
      sent: sent === "sent",
      base: document.baseURI.startsWith(location.origin),
    };
  });
  expect(done).toEqual({ ran: [], position: "static", sent: false, base: true });
});
