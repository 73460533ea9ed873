// What open event streams cost: signs people in, opens one stream for each, and tells the server's
// memory before and after.
//
//   node scripts/streams.mjs http://127.0.0.1:3000 PID [10000]
//
// The server is a sandbox or any other that has demo users, with LIMITS_REQUESTS_PER_SECOND=0, and may
// have so many files open (`ulimit -n`); so may this program.

import { readFileSync } from "node:fs";
import http from "node:http";

const [base, pid, wanted = "10000"] = process.argv.slice(2);
const count = Number(wanted);
const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });

function megabytes() {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(status.match(/VmRSS:\s+(\d+)/)[1]) / 1024;
}

function signIn(name) {
  return new Promise((done, fail) => {
    const body = `name=${name}`;
    const request = http.request(`${base}/sign-in/demo`, {
      agent,
      method: "POST",
      headers: {
        origin: base,
        "content-type": "application/x-www-form-urlencoded",
        "content-length": body.length,
      },
    });
    request.on("response", (answer) => {
      answer.resume();
      answer.on("end", () => {
        const cookie = answer.headers["set-cookie"]?.[0]?.split(";")[0];
        if (cookie) done(cookie);
        else fail(new Error(`no session: ${answer.statusCode}`));
      });
    });
    request.on("error", fail);
    request.end(body);
  });
}

function open(cookie) {
  return new Promise((done, fail) => {
    const headers = { cookie, accept: "text/event-stream" };
    const request = http.get(`${base}/api/v1/events`, { agent: false, headers });
    request.on("response", (answer) => {
      if (answer.statusCode !== 200) fail(new Error(`${answer.statusCode}`));
      answer.once("data", () => done(answer));
    });
    request.on("error", fail);
  });
}

async function all(work, from) {
  const results = [];
  const queue = from.entries();
  const worker = async () => {
    for (const [at, item] of queue) results[at] = await work(item);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  return results;
}

// A demo user's name has letters only.
const letters = (at) => [...at.toString(26)].map((c) => String.fromCharCode(97 + parseInt(c, 26))).join("");
const people = Array.from({ length: count }, (_, at) => `person${letters(at)}`);
const cookies = await all(signIn, people);
agent.destroy();
await new Promise((done) => setTimeout(done, 2000));
const before = megabytes();
const began = Date.now();
const streams = await all(open, cookies);
const seconds = (Date.now() - began) / 1000;
let ended = 0;
for (const stream of streams) stream.on("close", () => (ended += 1));
await new Promise((done) => setTimeout(done, 40_000));
const after = megabytes();
const each = ((after - before) * 1024) / count;
console.log(
  `${count} streams opened in ${seconds.toFixed(1)} s: ${before.toFixed(0)} MB before, ` +
    `${after.toFixed(0)} MB after 40 s, ${each.toFixed(1)} kB each; ${ended} ended`,
);
process.exit(ended === 0 ? 0 : 1);
