// An OpenID Connect provider for the browser tests: oidc-provider in a process of its own, because
// its clock and its keys are changed under way.
//
//   node oidc-provider.mjs PORT ORIGIN…
//
// serves the client `patchbay` of the servers at these origins. POST /control takes {"skew": seconds}
// (how far its clock is ahead) and {"rotate": true} (other keys from now on).
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const [port, ...origins] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
let skew = 0;
let keys = 0;

const clock = Date.now;
Date.now = () => clock() + skew * 1000;

function key() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  keys += 1;
  return { ...privateKey.export({ format: "jwk" }), kid: `key-${keys}`, use: "sig", alg: "RS256" };
}

function provider() {
  return new Provider(issuer, {
    clients: [
      {
        client_id: "patchbay",
        client_secret: "the-secret-of-the-browser-tests",
        redirect_uris: origins.map((origin) => `${origin}/sign-in/oidc/corp/callback`),
      },
    ],
    cookies: { keys: ["the-cookies-of-the-browser-tests"] },
    jwks: { keys: [key()] },
    claims: { openid: ["sub"], profile: ["name"], email: ["email"] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    pkce: { required: () => true },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, name: `${id} of Northwind`, email: `${id}@northwind.example` }),
    }),
  });
}

let current = provider();

const page = (uid) => `<!doctype html><html lang="en"><title>Northwind</title><h1>Northwind</h1>
<form method="post" action="/interaction/${uid}"><label>Login <input name="login"></label>
<button name="answer" value="allow">Allow</button> <button name="answer" value="refuse">Refuse</button></form></html>`;

async function body(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}

async function interaction(request, response) {
  const { uid, params } = await current.interactionDetails(request, response);
  if (request.method !== "POST") {
    response.setHeader("content-type", "text/html; charset=utf-8");
    return response.end(page(uid));
  }
  const form = new URLSearchParams(await body(request));
  let result = { error: "access_denied", error_description: "The person said no." };
  if (form.get("answer") === "allow") {
    const accountId = form.get("login");
    const grant = new current.Grant({ accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    result = { login: { accountId }, consent: { grantId: await grant.save() } };
  }
  return current.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

async function control(request, response) {
  const wish = JSON.parse(await body(request));
  skew = wish.skew ?? skew;
  if (wish.rotate) current = provider();
  response.writeHead(204).end();
}

createServer((request, response) => {
  const failed = (error) => {
    console.error(error);
    response.writeHead(500).end();
  };
  if (request.url === "/favicon.ico") return response.writeHead(204).end();
  if (request.url === "/control") return control(request, response).catch(failed);
  if (request.url.startsWith("/interaction/")) {
    return interaction(request, response).catch(failed);
  }
  return current.callback()(request, response);
}).listen(Number(port), "127.0.0.1");
