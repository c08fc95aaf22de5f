// Standard Webhooks and the providers that follow it: ID, time and body are
// signed, and the headers differ in their names alone.
import { verifyWebhook as verifyClerk } from "@clerk/backend/webhooks";
import { validateEvent, WebhookVerificationError } from "@polar-sh/sdk/webhooks";
import OpenAI from "openai";
import { Resend } from "resend";
import { Webhook as StandardWebhook } from "standardwebhooks";
import { Webhook as SvixWebhook } from "svix";
import { hmac, secret, whsec } from "./keys.mjs";

// family is a signer: headers are named prefix-id, prefix-timestamp and
// prefix-signature; signature makes the last one.
function family({ prefix = "webhook", payload, id, secrets, otherSecret, signature, ...signer }) {
  return {
    retries: true,
    ...signer,
    async sign(now) {
      const body = JSON.stringify(payload);
      const headers = {
        "Content-Type": "application/json",
        [`${prefix}-id`]: id,
        [`${prefix}-timestamp`]: String(now),
        [`${prefix}-signature`]: await signature(id, now, body),
      };
      return {
        secrets,
        other_secret: otherSecret,
        headers,
        body,
        id,
        type: payload.type,
        signature_headers: [`${prefix}-signature`],
        signed_headers: [`${prefix}-id`, `${prefix}-timestamp`],
        timestamp: { header: `${prefix}-timestamp`, text: String(now) },
      };
    },
  };
}

const ofSvix = (key) => (id, now, body) => new SvixWebhook(key).sign(id, new Date(now * 1000), body);
const plain = (key) => (id, now, body) => `v1,${hmac("sha256", key, `${id}.${now}.${body}`, "base64")}`;
const decoded = (whsecret) => Buffer.from(whsecret.replace("whsec_", ""), "base64");

const standardSecret = whsec("standard");
const svixSecret = whsec("svix");
const clerkSecret = whsec("clerk");
const resendSecret = whsec("resend");
const openaiSecret = whsec("openai");
const polarSecret = secret("polar", "polar_whs_");

export default [
  family({
    provider: "standard", sdk: "standardwebhooks", signs: true,
    id: "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
    payload: { type: "invoice.paid", timestamp: "2026-01-05T10:30:00Z", data: { id: "inv_1", "näme": "Zoë" } },
    secrets: [standardSecret], otherSecret: whsec("another"),
    signature: (id, now, body) => new StandardWebhook(standardSecret).sign(id, new Date(now * 1000), body),
    accepts: ({ body, headers }) => Boolean(new StandardWebhook(standardSecret).verify(body, headers)),
  }),
  family({
    provider: "svix", sdk: "svix", signs: true, prefix: "svix",
    id: "msg_loFOjxBNrRLzqYUf",
    payload: { type: "user.created", data: { id: "user_1" } },
    secrets: [svixSecret], otherSecret: whsec("another"),
    signature: ofSvix(svixSecret),
    accepts: ({ body, headers }) => Boolean(new SvixWebhook(svixSecret).verify(body, headers)),
  }),
  family({
    provider: "clerk", sdk: "@clerk/backend", prefix: "svix",
    id: "msg_29w83sxmDNGwOuEthce5gg56FcC",
    payload: { data: { id: "user_29w83sxmDNGwOuEthce5gg56FcC", object: "user" }, object: "event", type: "user.created" },
    secrets: [clerkSecret], otherSecret: whsec("another"),
    signature: plain(decoded(clerkSecret)),
    accepts: async ({ body, headers }) =>
      Boolean(await verifyClerk(new Request("https://hooks.example.com/", { method: "POST", headers, body }), { signingSecret: clerkSecret })),
  }),
  family({
    provider: "resend", sdk: "resend", prefix: "svix",
    id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
    payload: { type: "email.delivered", created_at: "2026-01-05T10:30:00.000Z", data: { email_id: "56761188-7520-42d8-8898-ff6fc54ce618" } },
    secrets: [resendSecret], otherSecret: whsec("another"),
    signature: plain(decoded(resendSecret)),
    accepts: ({ body, headers }) =>
      Boolean(new Resend("re_unused").webhooks.verify({
        payload: body,
        headers: { id: headers["svix-id"], timestamp: headers["svix-timestamp"], signature: headers["svix-signature"] },
        webhookSecret: resendSecret,
      })),
  }),
  family({
    provider: "openai", sdk: "openai",
    id: "wh_685342e6c53c8190a1be43f081506c52",
    payload: { id: "evt_685343a1381c819085d44c354e1b330e", object: "event", created_at: 1767609000, type: "response.completed", data: { id: "resp_1" } },
    secrets: [openaiSecret], otherSecret: whsec("another"),
    signature: plain(decoded(openaiSecret)),
    accepts: async ({ body, headers }) =>
      Boolean(await new OpenAI({ apiKey: "unused", webhookSecret: openaiSecret }).webhooks.unwrap(body, headers)),
  }),
  family({
    provider: "polar", sdk: "@polar-sh/sdk",
    id: "2f1b4b0e-6a1f-4c53-9a53-1f5a5a4b6f10",
    payload: { type: "order.unheard_of", timestamp: "2026-01-05T10:30:00Z", data: { id: "ord_1" } },
    secrets: [polarSecret], otherSecret: secret("another", "polar_whs_"),
    signature: plain(polarSecret),
    // The library reads the event after it has verified it, and complains of
    // one that it doesn't know with another error.
    accepts({ body, headers }) {
      try {
        validateEvent(body, headers, polarSecret);
      } catch (e) {
        if (e instanceof WebhookVerificationError || !/unknown event type/i.test(e.message)) throw e;
      }
      return true;
    },
  }),
];
