// Providers that sign the time of sending together with the body, and the ID
// not at all or as a part of the body.
import { createPublicKey, generateKeyPairSync, sign as signWith } from "node:crypto";
import { LinearWebhookClient } from "@linear/sdk/webhooks";
import Mux from "@mux/mux-node";
import { Paddle } from "@paddle/paddle-node-sdk";
import { encodeSignatureHeader, isValidSignature } from "@sanity/webhook";
import { EventWebhook } from "@sendgrid/eventwebhook";
import bolt from "@slack/bolt/dist/receivers/verify-request.js";
import { WorkOS } from "@workos-inc/node";
import { verifyKey as verifyDiscord } from "discord-interactions";
import Orb from "orb-billing";
import Stripe from "stripe";
import { WebflowClient } from "webflow-api";
import { ed25519, hmac, rawPublicKey, secret } from "./keys.mjs";

const stripe = new Stripe("sk_test_unused");
const stripeSecret = secret("stripe", "whsec_");
const workos = new WorkOS("sk_test_unused");
const workosSecret = secret("workos");
const paddleSecret = secret("paddle", "pdl_ntfset_");
const muxSecret = secret("mux");
const slackSecret = secret("slack").slice(0, 32);
const webflowSecret = secret("webflow");
const orbSecret = secret("orb");
const linearSecret = secret("linear", "lin_wh_");
const sanitySecret = secret("sanity");
const discordKey = ed25519("discord");
const publicHex = (key) => rawPublicKey(createPublicKey(key)).toString("hex");
const sendgridKey = generateKeyPairSync("ec", { namedCurve: "P-256" });
const spki = (key) => key.export({ format: "der", type: "spki" }).toString("base64");

export default [
  {
    provider: "stripe", sdk: "stripe", signs: true, retries: true,
    async sign(now) {
      const event = { id: "evt_1NG8Du2eZvKYlo2CUI79vXWy", object: "event", type: "payment_intent.succeeded", data: { object: { id: "pi_1" } } };
      const body = JSON.stringify(event, null, 2);
      return {
        secrets: [stripeSecret], other_secret: secret("another", "whsec_"),
        headers: {
          "Content-Type": "application/json; charset=utf-8",
          "Stripe-Signature": stripe.webhooks.generateTestHeaderString({ payload: body, secret: stripeSecret, timestamp: now }),
        },
        body, id: event.id, type: event.type,
        signature_headers: ["Stripe-Signature"],
        timestamp: { header: "Stripe-Signature", text: String(now) },
      };
    },
    accepts: ({ body, headers }) => Boolean(stripe.webhooks.constructEvent(body, headers["Stripe-Signature"], stripeSecret)),
  },
  {
    provider: "workos", sdk: "@workos-inc/node", signs: true, retries: true,
    async sign(now) {
      const event = { id: "event_01HZ", event: "dsync.user.created", data: { id: "directory_user_01" }, created_at: "2026-01-05T10:30:00.000Z" };
      const ms = String(now * 1000);
      return {
        secrets: [workosSecret], other_secret: secret("another"),
        headers: {
          "Content-Type": "application/json",
          "WorkOS-Signature": `t=${ms}, v1=${await workos.webhooks.computeSignature(ms, event, workosSecret)}`,
        },
        body: JSON.stringify(event), id: event.id, type: event.event,
        signature_headers: ["WorkOS-Signature"],
        timestamp: { header: "WorkOS-Signature", text: ms },
      };
    },
    accepts: async ({ body, headers }) =>
      Boolean(await workos.webhooks.constructEvent({ payload: JSON.parse(body), sigHeader: headers["WorkOS-Signature"], secret: workosSecret })),
  },
  {
    provider: "paddle", sdk: "@paddle/paddle-node-sdk", retries: true,
    async sign(now) {
      const event = { event_id: "evt_01hv8x2a6x", event_type: "transaction.completed", occurred_at: "2026-01-05T10:30:00Z", notification_id: "ntf_1", data: { id: "txn_1" } };
      const body = JSON.stringify(event);
      return {
        secrets: [paddleSecret], other_secret: secret("another", "pdl_ntfset_"),
        headers: { "Content-Type": "application/json", "Paddle-Signature": `ts=${now};h1=${hmac("sha256", paddleSecret, `${now}:${body}`, "hex")}` },
        body, id: event.event_id, type: event.event_type,
        signature_headers: ["Paddle-Signature"],
        timestamp: { header: "Paddle-Signature", text: String(now) },
      };
    },
    accepts: ({ body, headers }) => new Paddle("unused").webhooks.isSignatureValid(body, paddleSecret, headers["Paddle-Signature"]),
  },
  {
    provider: "mux", sdk: "@mux/mux-node", retries: true,
    async sign(now) {
      const event = { type: "video.asset.ready", id: "3a56ac3d-33da-4366-855b-f592d898409d", data: { id: "asset_1" } };
      const body = JSON.stringify(event);
      return {
        secrets: [muxSecret], other_secret: secret("another"),
        headers: { "Content-Type": "application/json", "Mux-Signature": `t=${now},v1=${hmac("sha256", muxSecret, `${now}.${body}`, "hex")}` },
        body, id: event.id, type: event.type,
        signature_headers: ["Mux-Signature"],
        timestamp: { header: "Mux-Signature", text: String(now) },
      };
    },
    accepts: async ({ body, headers }) =>
      Boolean(await new Mux({ tokenId: "unused", tokenSecret: "unused" }).webhooks.unwrap(body, headers, muxSecret)),
  },
  {
    provider: "slack", sdk: "@slack/bolt", retries: true,
    async sign(now) {
      const event = { token: "unused", team_id: "T061EG9R6", type: "event_callback", event_id: "Ev0PV52K21", event_time: 1767609000, event: { type: "app_mention", text: "héllo" } };
      const body = JSON.stringify(event);
      return {
        secrets: [slackSecret], other_secret: secret("another").slice(0, 32),
        headers: {
          "Content-Type": "application/json",
          "X-Slack-Request-Timestamp": String(now),
          "X-Slack-Signature": `v0=${hmac("sha256", slackSecret, `v0:${now}:${body}`, "hex")}`,
        },
        body, id: event.event_id, type: event.event.type,
        signature_headers: ["X-Slack-Signature"],
        signed_headers: ["X-Slack-Request-Timestamp"],
        timestamp: { header: "X-Slack-Request-Timestamp", text: String(now) },
      };
    },
    accepts: ({ body, headers }) =>
      bolt.isValidSlackRequest({
        signingSecret: slackSecret, body,
        headers: { "x-slack-signature": headers["X-Slack-Signature"], "x-slack-request-timestamp": Number(headers["X-Slack-Request-Timestamp"]) },
      }),
  },
  {
    provider: "webflow", sdk: "webflow-api", retries: true,
    async sign(now) {
      const body = JSON.stringify({ triggerType: "form_submission", payload: { id: "6321ca84df3949bfc6752327", name: "Contact" } });
      const ms = String(now * 1000);
      return {
        secrets: [webflowSecret], other_secret: secret("another"),
        headers: { "Content-Type": "application/json", "x-webflow-timestamp": ms, "x-webflow-signature": hmac("sha256", webflowSecret, `${ms}:${body}`, "hex") },
        body, type: "form_submission",
        signature_headers: ["x-webflow-signature"],
        signed_headers: ["x-webflow-timestamp"],
        timestamp: { header: "x-webflow-timestamp", text: ms },
      };
    },
    accepts: ({ body, headers }) => new WebflowClient({ accessToken: "unused" }).webhooks.verifySignature({ headers, body, secret: webflowSecret }),
  },
  {
    provider: "sanity", sdk: "@sanity/webhook", signs: true,
    async sign(now) {
      const body = JSON.stringify({ _id: "doc-1", _type: "post", title: "Hi" });
      return {
        secrets: [sanitySecret], other_secret: secret("another"),
        headers: { "Content-Type": "application/json", "sanity-webhook-signature": await encodeSignatureHeader(body, now * 1000, sanitySecret) },
        body,
        signature_headers: ["sanity-webhook-signature"],
        timestamp: { header: "sanity-webhook-signature", text: String(now * 1000) },
      };
    },
    accepts: ({ body, headers }) => isValidSignature(body, headers["sanity-webhook-signature"], sanitySecret),
  },
  {
    provider: "orb", sdk: "orb-billing", retries: true,
    async sign(now) {
      const event = { id: "o4mmewpfNNTnjfZc", created_at: "2026-01-05T10:30:00+00:00", type: "customer.created", properties: {}, customer: { id: "c1" } };
      const body = JSON.stringify(event);
      // The time is in UTC, and does not say so. While a secret is being
      // replaced, a request has a signature of either one.
      const time = new Date(now * 1000).toISOString().replace("Z", "");
      const signatures = (...keys) => keys.map((key) => `v1=${hmac("sha256", key, `v1:${time}:${body}`, "hex")}`).join(" ");
      return {
        secrets: [orbSecret], other_secret: secret("another"),
        headers: { "Content-Type": "application/json", "X-Orb-Timestamp": time, "X-Orb-Signature": signatures(secret("a third"), orbSecret) },
        body, id: event.id, type: event.type,
        signature_headers: ["X-Orb-Signature"],
        signature_text: signatures(orbSecret),
        signed_headers: ["X-Orb-Timestamp"],
        timestamp: { header: "X-Orb-Timestamp", text: time },
      };
    },
    accepts: ({ body, headers }) => Boolean(new Orb({ apiKey: "unused" }).webhooks.unwrap(body, headers, orbSecret)),
  },
  {
    provider: "linear", sdk: "@linear/sdk",
    async sign(now) {
      const ms = now * 1000;
      const body = JSON.stringify({ action: "create", type: "Issue", data: { id: "iss_1" }, webhookId: "wh_1", webhookTimestamp: ms });
      return {
        secrets: [linearSecret], other_secret: secret("another", "lin_wh_"),
        headers: {
          "Content-Type": "application/json; charset=utf-8",
          "Linear-Delivery": "234d1a4e-b617-4388-90fe-adc3633d6b72",
          "Linear-Event": "Issue",
          "Linear-Signature": hmac("sha256", linearSecret, body, "hex"),
        },
        body, type: "Issue",
        signature_headers: ["Linear-Signature"],
        unsigned_headers: ["Linear-Delivery"],
        timestamp: { body: true, text: String(ms) },
      };
    },
    accepts: ({ body, headers }) => new LinearWebhookClient(linearSecret).verify(Buffer.from(body), headers["Linear-Signature"]),
  },
  {
    provider: "discord", sdk: "discord-interactions",
    async sign(now) {
      const body = JSON.stringify({ id: "846462639134605312", application_id: "845027738276462632", type: 2, token: "unused", version: 1 });
      return {
        secrets: [publicHex(discordKey)], other_secret: publicHex(ed25519("another")),
        headers: {
          "Content-Type": "application/json",
          "X-Signature-Timestamp": String(now),
          "X-Signature-Ed25519": signWith(null, Buffer.from(now + body), discordKey).toString("hex"),
        },
        body, id: "846462639134605312",
        signature_headers: ["X-Signature-Ed25519"],
        signed_headers: ["X-Signature-Timestamp"],
        timestamp: { header: "X-Signature-Timestamp", text: String(now) },
      };
    },
    accepts: ({ body, headers }) => verifyDiscord(body, headers["X-Signature-Ed25519"], headers["X-Signature-Timestamp"], publicHex(discordKey)),
  },
  {
    provider: "sendgrid", sdk: "@sendgrid/eventwebhook", retries: true,
    async sign(now) {
      const body = `${JSON.stringify([{ email: "a@example.com", event: "delivered", sg_event_id: "ZGVsaXZlcmVk", timestamp: 1767609000 }])}\r\n`;
      return {
        secrets: [spki(sendgridKey.publicKey)], other_secret: spki(generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey),
        headers: {
          "Content-Type": "application/json",
          "X-Twilio-Email-Event-Webhook-Timestamp": String(now),
          "X-Twilio-Email-Event-Webhook-Signature": signWith("sha256", Buffer.from(now + body), sendgridKey.privateKey).toString("base64"),
        },
        body,
        signature_headers: ["X-Twilio-Email-Event-Webhook-Signature"],
        signed_headers: ["X-Twilio-Email-Event-Webhook-Timestamp"],
        timestamp: { header: "X-Twilio-Email-Event-Webhook-Timestamp", text: String(now) },
      };
    },
    accepts({ secrets, body, headers }) {
      const webhook = new EventWebhook();
      return webhook.verifySignature(webhook.convertPublicKeyToECDSA(secrets[0]), body, headers["X-Twilio-Email-Event-Webhook-Signature"], headers["X-Twilio-Email-Event-Webhook-Timestamp"]);
    },
  },
];
