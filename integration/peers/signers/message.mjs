// Senders that sign the whole message: method, path, chosen headers and body.
import { createHash } from "node:crypto";
import * as contentful from "@contentful/node-apps-toolkit";
import { createSigner, createVerifier, httpbis } from "http-message-signatures";
import { secret } from "./keys.mjs";

const contentfulSecret = secret("contentful");
const messageSecret = secret("http_signatures");
const address = "https://hooks.example.com/in?source=a%20b&n=1";

export default [
  {
    provider: "contentful", sdk: "@contentful/node-apps-toolkit", signs: true, retries: true,
    async sign(now) {
      const body = JSON.stringify({ sys: { id: "entry1", type: "Entry" }, fields: { title: { "de-DE": "Größe" } } });
      const headers = { "Content-Type": "application/vnd.contentful.management.v1+json", "X-Contentful-Topic": "ContentManagement.Entry.publish", "X-Contentful-Webhook-Name": "hook" };
      return {
        secrets: [contentfulSecret], other_secret: secret("another"),
        target: address, signs_url: ["path", "query"],
        headers: { ...headers, ...contentful.signRequest(contentfulSecret, { method: "POST", path: "/in?source=a%20b&n=1", headers, body }, now * 1000) },
        body, type: "ContentManagement.Entry.publish",
        signature_headers: ["x-contentful-signature"],
        signed_headers: ["x-contentful-timestamp", "x-contentful-signed-headers", "X-Contentful-Topic", "X-Contentful-Webhook-Name"],
        timestamp: { header: "x-contentful-timestamp", text: String(now * 1000) },
      };
    },
    accepts: ({ body, headers }) => contentful.verifyRequest(contentfulSecret, { method: "POST", path: "/in?source=a%20b&n=1", headers, body }, 300),
  },
  {
    provider: "http_signatures", sdk: "http-message-signatures", signs: true, retries: true,
    async sign(now) {
      const body = JSON.stringify({ id: "evt_1", type: "order.created" });
      const request = {
        method: "POST", url: address,
        headers: { "Content-Type": "application/json", "Content-Digest": digest(body) },
      };
      const signed = await httpbis.signMessage(
        {
          key: createSigner(messageSecret, "hmac-sha256", "key-1"), name: "sig1",
          fields: ["@method", "@authority", "@path", "@query", "content-digest", "content-type"],
          params: ["created", "keyid", "alg"], paramValues: { created: new Date(now * 1000) },
        },
        request,
      );
      return {
        secrets: [messageSecret], other_secret: secret("another"),
        target: address, signs_url: ["host", "path", "query"],
        headers: signed.headers, body,
        signature_headers: ["Signature"],
        signed_headers: ["Content-Digest", "Signature-Input", "Content-Type"],
        timestamp: { header: "Signature-Input", text: String(now) },
      };
    },
    async accepts({ body, headers }) {
      const verifier = createVerifier(messageSecret, "hmac-sha256");
      const valid = await httpbis.verifyMessage(
        { keyLookup: async () => ({ id: "key-1", algs: ["hmac-sha256"], verify: verifier }), requiredFields: ["content-digest"] },
        { method: "POST", url: address, headers },
      );
      // The digest is the caller's to check.
      return valid === true && headers["Content-Digest"] === digest(body);
    },
  },
];

function digest(body) {
  return `sha-256=:${createHash("sha256").update(body).digest("base64")}:`;
}
