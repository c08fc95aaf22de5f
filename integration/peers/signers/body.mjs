// Providers that sign the body alone, without the time of sending.
import { hmacValidator as AdyenValidator } from "@adyen/api-library";
import { validateSignature as validateLine } from "@line/bot-sdk";
import * as notion from "@notionhq/client";
import { sign as signGitHub, verify as verifyGitHub } from "@octokit/webhooks-methods";
import "@shopify/shopify-api/adapters/node";
import { ApiVersion, LogSeverity, shopifyApi } from "@shopify/shopify-api";
import EasyPost from "@easypost/api";
import coinbase from "coinbase-commerce-node";
import * as gocardless from "gocardless-nodejs/webhooks";
import ModernTreasury from "modern-treasury";
import Pusher from "pusher";
import Razorpay from "razorpay";
import { hmac, secret } from "./keys.mjs";

const untimed = "the provider does not sign the time of sending";

// signer makes one whose signature stands in the header of that name. headers
// are those that the signature does not cover.
function signer({ header, payload, key, otherKey = secret("another"), signature, headers = {}, ids = [], request = {}, ...rest }) {
  return {
    ...rest,
    async sign() {
      const body = typeof payload === "string" ? payload : JSON.stringify(payload);
      return {
        secrets: [key],
        other_secret: otherKey,
        headers: { "Content-Type": "application/json", ...headers, [header]: await signature(body) },
        body,
        signature_headers: [header],
        unsigned_headers: ids,
        untimed,
        ...request,
      };
    },
  };
}

const githubSecret = secret("github");
const shopifySecret = secret("shopify", "shpss_");
const shopify = shopifyApi({ apiKey: "unused", apiSecretKey: shopifySecret, hostName: "hooks.example.com", apiVersion: ApiVersion.July25, isEmbeddedApp: false, logger: { level: LogSeverity.Error } });
const lineSecret = secret("line").slice(0, 32);
const razorpaySecret = secret("razorpay");
const coinbaseSecret = secret("coinbase");
const gocardlessSecret = secret("gocardless");
const notionSecret = secret("notion", "secret_");
const pusherSecret = secret("pusher").slice(0, 20);
const pusher = new Pusher({ appId: "1", key: "278d425bdf160c739803", secret: pusherSecret, cluster: "eu" });
const treasurySecret = secret("modern treasury");
const treasury = new ModernTreasury({ apiKey: "unused", organizationID: "unused", webhookKey: treasurySecret });
const easypostSecret = secret("easypost");
const adyenKey = secret("adyen").toUpperCase();

export default [
  signer({
    provider: "github", sdk: "@octokit/webhooks-methods", signs: true,
    header: "X-Hub-Signature-256", key: githubSecret,
    headers: { "X-GitHub-Event": "issues", "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958" }, ids: ["X-GitHub-Delivery"],
    payload: { action: "opened", issue: { number: 1, title: "Größe" } },
    request: { id: "72d3162e-cc78-11e3-81ab-4c9367dc0958", type: "issues" },
    signature: (body) => signGitHub(githubSecret, body),
    accepts: ({ body, headers }) => verifyGitHub(githubSecret, body, headers["X-Hub-Signature-256"]),
  }),
  signer({
    provider: "shopify", sdk: "@shopify/shopify-api",
    header: "X-Shopify-Hmac-SHA256", key: shopifySecret, otherKey: secret("another", "shpss_"),
    headers: {
      "X-Shopify-Topic": "orders/create", "X-Shopify-Shop-Domain": "example.myshopify.com", "X-Shopify-API-Version": "2025-07",
      "X-Shopify-Webhook-Id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043", "X-Shopify-Event-Id": "98880550-7158-44d4-b7cd-2c97c8a091b5",
    },
    ids: ["X-Shopify-Webhook-Id", "X-Shopify-Event-Id"],
    payload: { id: 820982911946154500, total_price: "403.00", note: "a/b & <c>" },
    request: { id: "98880550-7158-44d4-b7cd-2c97c8a091b5", type: "orders/create" },
    signature: (body) => hmac("sha256", shopifySecret, body, "base64"),
    accepts: async ({ body, headers }) =>
      (await shopify.webhooks.validate({ rawBody: body, rawRequest: { method: "POST", url: "/", headers }, rawResponse: {} })).valid,
  }),
  signer({
    provider: "line", sdk: "@line/bot-sdk",
    header: "x-line-signature", key: lineSecret, otherKey: secret("another").slice(0, 32),
    payload: { destination: "U0", events: [{ type: "message", webhookEventId: "01FZ74A0TDDPYRVKNK77XKC3ZR", message: { type: "text", text: "こんにちは" } }] },
    signature: (body) => hmac("sha256", lineSecret, body, "base64"),
    accepts: ({ body, headers }) => validateLine(body, lineSecret, headers["x-line-signature"]),
  }),
  signer({
    provider: "razorpay", sdk: "razorpay",
    header: "X-Razorpay-Signature", key: razorpaySecret,
    headers: { "X-Razorpay-Event-Id": "P1aFGvVfCvFXjF" }, ids: ["X-Razorpay-Event-Id"],
    payload: { entity: "event", account_id: "acc_1", event: "payment.captured", payload: { payment: { entity: { id: "pay_1" } } } },
    request: { id: "P1aFGvVfCvFXjF", type: "payment.captured" },
    signature: (body) => hmac("sha256", razorpaySecret, body, "hex"),
    accepts: ({ body, headers }) => Razorpay.validateWebhookSignature(body, headers["X-Razorpay-Signature"], razorpaySecret),
  }),
  signer({
    provider: "coinbase_commerce", sdk: "coinbase-commerce-node", signs: true,
    header: "X-CC-Webhook-Signature", key: coinbaseSecret,
    payload: { attempt_number: 1, event: { id: "24934862-d980-46cb-9402-43c81b0cdba6", type: "charge:created", data: { code: "66BEOV2A" } }, id: "57ca5b1d-a6b1-4ea7-8bd6-4ef6e7b3d6c5" },
    request: { type: "charge:created" },
    signature: (body) => coinbase.Webhook.computeSignature(body, coinbaseSecret),
    accepts: ({ body, headers }) => Boolean(coinbase.Webhook.verifyEventBody(body, headers["X-CC-Webhook-Signature"], coinbaseSecret)),
  }),
  signer({
    provider: "gocardless", sdk: "gocardless-nodejs",
    header: "Webhook-Signature", key: gocardlessSecret,
    payload: { events: [{ id: "EV00BD05S5VM2T", resource_type: "mandates", action: "cancelled" }], meta: { webhook_id: "WB123" } },
    signature: (body) => hmac("sha256", gocardlessSecret, body, "hex"),
    accepts: ({ body, headers }) => gocardless.parse(body, gocardlessSecret, headers["Webhook-Signature"]).length === 1,
  }),
  signer({
    provider: "notion", sdk: "@notionhq/client", signs: true,
    header: "X-Notion-Signature", key: notionSecret, otherKey: secret("another", "secret_"),
    payload: { id: "367cba44-b6f3-4c92-81e7-6a2e9659efd4", type: "page.created", entity: { id: "153104cd-477e-809d-8dc4-ff2d96ae3090", type: "page" } },
    request: { id: "367cba44-b6f3-4c92-81e7-6a2e9659efd4", type: "page.created" },
    signature: (body) => notion.signWebhookPayload({ body, verificationToken: notionSecret }),
    accepts: ({ body, headers }) => notion.verifyWebhookSignature({ body, signature: headers["X-Notion-Signature"], verificationToken: notionSecret }),
  }),
  signer({
    provider: "pusher", sdk: "pusher",
    header: "X-Pusher-Signature", key: pusherSecret, otherKey: secret("another").slice(0, 20),
    headers: { "X-Pusher-Key": "278d425bdf160c739803" },
    payload: { time_ms: 1767609000000, events: [{ name: "channel_occupied", channel: "test_channel" }] },
    signature: (body) => hmac("sha256", pusherSecret, body, "hex"),
    accepts: ({ body, headers }) =>
      pusher.webhook({ headers: { "x-pusher-key": headers["X-Pusher-Key"], "x-pusher-signature": headers["X-Pusher-Signature"], "content-type": "application/json" }, rawBody: body }).isValid(),
  }),
  signer({
    provider: "modern_treasury", sdk: "modern-treasury", signs: true,
    header: "X-Signature", key: treasurySecret,
    headers: { "X-Topic": "payment_order", "X-Webhook-ID": "7c5f7b5a-0d1c-4c8e-9d0a-0b1f5e6a7c8d" }, ids: ["X-Webhook-ID"],
    payload: { event: "approved", data: { id: "po_1", object: "payment_order", amount: 100 } },
    request: { id: "7c5f7b5a-0d1c-4c8e-9d0a-0b1f5e6a7c8d", type: "approved" },
    signature: (body) => treasury.webhooks.getSignature(body),
    accepts: ({ body, headers }) => treasury.webhooks.validateSignature(body, headers),
  }),
  signer({
    provider: "easypost", sdk: "@easypost/api",
    header: "X-Hmac-Signature", key: easypostSecret,
    payload: { id: "evt_04d4a4f0", object: "Event", mode: "production", description: "tracker.updated", result: { id: "trk_1" } },
    request: { id: "evt_04d4a4f0", type: "tracker.updated" },
    signature: (body) => `hmac-sha256-hex=${hmac("sha256", easypostSecret, body, "hex")}`,
    accepts: ({ body, headers }) => Boolean(new EasyPost("unused").Utils.validateWebhook(Buffer.from(body), headers, easypostSecret)),
  }),
  signer({
    provider: "adyen_management", sdk: "@adyen/api-library", signs: true,
    header: "HmacSignature", key: adyenKey, otherKey: secret("another").toUpperCase(),
    payload: { data: { id: "AH1", status: "active" }, environment: "test", type: "balancePlatform.accountHolder.updated" },
    request: { type: "balancePlatform.accountHolder.updated" },
    signature: (body) => new AdyenValidator().calculateHmac(body, adyenKey),
    accepts: ({ body, headers }) => new AdyenValidator().validateHMACSignature(adyenKey, headers.HmacSignature, body),
  }),
];
