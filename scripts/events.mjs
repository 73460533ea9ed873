// An event stream as a page has it, for scripts/proxies.sh and scripts/pooler.sh: the first event
// comes at once, and what is changed somewhere else shows up within a second.
//
//   STREAM=https://… CHANGE=https://… COOKIE=… SANDBOX=http://… KEY=… node scripts/events.mjs
//
// STREAM and CHANGE may be two instances. CONNECTOR names what is connected (gmail). HTTP=2 speaks
// HTTP/2, CA names the certificate to believe, and every name leads to 127.0.0.1. QUIET is how many
// seconds the stream is left alone first, SOON how many milliseconds a change may take (1000). STREAMS=N, UPSTREAM=port: opens so many streams, closes
// them, and waits for the server's connections to go too.
import { readFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";

const { STREAM, CHANGE = STREAM, COOKIE, SANDBOX, KEY, CA } = process.env;
const ORIGIN = process.env.ORIGIN ?? new URL(CHANGE).origin;
const CONNECTOR = process.env.CONNECTOR ?? "gmail";
const QUIET = Number(process.env.QUIET ?? 0) * 1000;
const SOON = Number(process.env.SOON ?? 1000);
const secure = {
  ca: CA && readFileSync(CA),
  lookup: (_name, options, done) =>
    options.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4),
};
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/// A stream of events: `next(what, patience)` waits for the first one that fits.
function open(address) {
  const url = new URL("/api/v1/events", address);
  const events = [];
  const waiting = new Set();
  const stream = { comments: 0, failed: undefined };
  let text = "";
  const take = (chunk) => {
    text += chunk;
    const parts = text.split("\n\n");
    text = parts.pop();
    for (const part of parts) {
      const field = (name) =>
        part
          .split("\n")
          .filter((line) => line.startsWith(`${name}:`))
          .map((line) => line.slice(name.length + 1).trim())
          .join("\n");
      if (!field("event")) stream.comments += 1;
      else events.push({ at: Date.now(), kind: field("event"), data: JSON.parse(field("data")) });
    }
    for (const look of waiting) look();
  };
  const fail = (why) => {
    stream.failed ??= why;
    for (const look of waiting) look();
  };
  stream.next = (fits, patience) =>
    new Promise((found, lost) => {
      const end = setTimeout(() => lost(new Error(`no such event in ${patience} ms`)), patience);
      const look = () => {
        const at = events.findIndex(fits);
        if (at < 0 && !stream.failed) return;
        clearTimeout(end);
        waiting.delete(look);
        if (at < 0) lost(new Error(`the stream ended: ${stream.failed}`));
        else found(events.splice(0, at + 1)[at]);
      };
      waiting.add(look);
      look();
    });
  if (process.env.HTTP === "2") {
    const session = http2.connect(url.origin, secure);
    session.on("error", (error) => fail(error.message));
    const request = session.request({ ":path": url.pathname, cookie: COOKIE });
    request.on("response", (head) => head[":status"] === 200 || fail(`status ${head[":status"]}`));
    request.setEncoding("utf8").on("data", take).on("end", () => fail("by the server"));
    stream.close = () => session.destroy();
  } else {
    const { get } = url.protocol === "https:" ? https : http;
    const request = get(url, { ...secure, agent: false, headers: { cookie: COOKIE } }, (answer) => {
      if (answer.statusCode !== 200) fail(`status ${answer.statusCode}`);
      answer.setEncoding("utf8").on("data", take).on("end", () => fail("by the server"));
    });
    request.on("error", (error) => fail(error.message));
    stream.close = () => request.destroy();
  }
  return stream;
}

/// Posts JSON; the answer, where it is a success.
function post(address, body, headers) {
  const url = new URL(address);
  const { request } = url.protocol === "https:" ? https : http;
  return new Promise((answered, failed) => {
    const asked = request(
      url,
      { ...secure, method: "POST", headers: { "content-type": "application/json", ...headers } },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (chunk) => (text += chunk));
        answer.on("end", () => {
          const fine = answer.statusCode < 300;
          if (fine) answered({ at: Date.now(), body: text && JSON.parse(text) });
          else failed(new Error(`${address}: ${answer.statusCode} ${text.slice(0, 300)}`));
        });
      },
    );
    asked.on("error", failed);
    asked.end(JSON.stringify(body));
  });
}

/// How many connections there are at a port of this machine, from the server's side.
function held(port) {
  const wanted = port.toString(16).toUpperCase().padStart(4, "0");
  return readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(`:${wanted}`) && state === "01").length;
}

async function changes() {
  const began = Date.now();
  const stream = open(STREAM);
  const snapshot = await stream.next((e) => e.kind === "snapshot", SOON);
  const first = snapshot.at - began;
  await pause(QUIET);
  if (QUIET > 16_000 && stream.comments === 0) throw new Error("nothing kept the stream alive");
  // A server that cannot hear the other sends everything again.
  const of = (status) => (e) =>
    [e.data].flat().some((c) => c.connector === CONNECTOR && c.status === status);
  const mine = { cookie: COOKIE, origin: ORIGIN };
  const path = `${CHANGE}/api/v1/connectors/${CONNECTOR}`;
  const started = await post(`${path}/connect`, {}, mine);
  const pending = await stream.next(of("pending"), SOON);
  const consent = { oauth_url: started.body.oauth_url, decision: "allow" };
  const key = { authorization: `Bearer ${KEY}` };
  const allowed = await post(`${SANDBOX}/sandbox/control/consent`, consent, key);
  const connected = await stream.next(of("connected"), 5 * SOON);
  const gone = await post(`${path}/disconnect`, {}, mine);
  const disconnected = await stream.next(of("disconnected"), SOON);
  stream.close();
  const took = (event, after) => `${Math.max(0, event.at - after.at)} ms`;
  console.log(
    `first event ${first} ms, pending ${took(pending, started)}, connected ${took(connected, allowed)}, ` +
      `disconnected ${took(disconnected, gone)} after the answer`,
  );
}

async function closing(count, port) {
  const before = held(port);
  const streams = Array.from({ length: count }, () => open(STREAM));
  await Promise.all(streams.map((s) => s.next((e) => e.kind === "snapshot", 5 * SOON)));
  const during = held(port);
  for (const stream of streams) stream.close();
  // A proxy keeps some idle connections for what comes next.
  const few = before + count / 2;
  for (let waited = 0; held(port) > few; waited += 100) {
    if (waited > 20_000) throw new Error(`${held(port)} of ${during} connections are still held`);
    await pause(100);
  }
  console.log(`${count} streams: ${before} connections before, ${during} during, ${held(port)} after`);
}

try {
  if (process.env.STREAMS) await closing(Number(process.env.STREAMS), Number(process.env.UPSTREAM));
  else await changes();
  process.exit(0);
} catch (error) {
  console.error(`events.mjs: ${error.message}`);
  process.exit(1);
}
