// Providers that sign the address that they send to.
import { createHash } from "node:crypto";
import { Signature } from "@hubspot/api-client";
import { WebhooksHelper } from "square";
import twilio from "twilio";
import { hmac, secret } from "./keys.mjs";

const twilioToken = secret("twilio").slice(0, 32);
const hubspotSecret = secret("hubspot").slice(0, 36);
const squareKey = secret("square").slice(0, 22);
const address = "https://hooks.example.com/in?source=a%20b&n=1";
const whole = ["host", "path", "query"];
const untimed = "the provider does not sign the time of sending";

export default [
  {
    provider: "twilio", sdk: "twilio", signs: true,
    async sign() {
      const parameters = { MessageSid: "SM1", AccountSid: "AC1", From: "+14155551234", To: "whatsapp:+15558675309", Body: "1 & 2 = 3 é", NumMedia: "0" };
      return {
        secrets: [twilioToken], other_secret: secret("another").slice(0, 32),
        url: address, signs_url: whole,
        headers: {
          "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
          "I-Twilio-Idempotency-Token": "5e6f0c9e-7f5b-4b56-9e3c-1b0c8c4a0f6d",
          "X-Twilio-Signature": twilio.getExpectedTwilioSignature(twilioToken, address, parameters),
        },
        body: new URLSearchParams(parameters).toString(), id: "5e6f0c9e-7f5b-4b56-9e3c-1b0c8c4a0f6d",
        signature_headers: ["X-Twilio-Signature"],
        unsigned_headers: ["I-Twilio-Idempotency-Token"],
        untimed,
      };
    },
    accepts: ({ url, body, headers }) =>
      twilio.validateRequest(twilioToken, headers["X-Twilio-Signature"], url, Object.fromEntries(new URLSearchParams(body))),
  },
  {
    provider: "twilio", sdk: "twilio", signs: true,
    async sign() {
      const body = JSON.stringify({ MessageSid: "SM2", Body: "JSON é" });
      const target = `https://hooks.example.com/in?bodySHA256=${createHash("sha256").update(body).digest("hex")}`;
      return {
        secrets: [twilioToken], other_secret: secret("another").slice(0, 32),
        target, signs_url: whole,
        headers: { "Content-Type": "application/json", "X-Twilio-Signature": twilio.getExpectedTwilioSignature(twilioToken, target, {}) },
        body,
        signature_headers: ["X-Twilio-Signature"],
        untimed,
      };
    },
    accepts: ({ target, body, headers }) => twilio.validateRequestWithBody(twilioToken, headers["X-Twilio-Signature"], target, body),
  },
  {
    provider: "hubspot", sdk: "@hubspot/api-client", signs: true, retries: true,
    async sign(now) {
      const url = "https://hooks.example.com/hubspot";
      const body = JSON.stringify([{ eventId: 531833541, subscriptionType: "contact.creation", objectId: 46 }]);
      const ms = now * 1000;
      return {
        secrets: [hubspotSecret], other_secret: secret("another").slice(0, 36),
        url, signs_url: whole,
        headers: {
          "Content-Type": "application/json",
          "X-HubSpot-Request-Timestamp": String(ms),
          "X-HubSpot-Signature-v3": Signature.getSignature("POST", "v3", { clientSecret: hubspotSecret, url, requestBody: body, timestamp: ms }),
        },
        body,
        signature_headers: ["X-HubSpot-Signature-v3"],
        signed_headers: ["X-HubSpot-Request-Timestamp"],
        timestamp: { header: "X-HubSpot-Request-Timestamp", text: String(ms) },
      };
    },
    accepts: ({ url, body, headers }) =>
      Signature.isValid({
        signatureVersion: "v3", method: "POST", clientSecret: hubspotSecret, url, requestBody: body,
        signature: headers["X-HubSpot-Signature-v3"], timestamp: Number(headers["X-HubSpot-Request-Timestamp"]),
      }),
  },
  ...["v1", "v2"].map((version) => ({
    provider: `hubspot_${version}`, sdk: "@hubspot/api-client", signs: true,
    async sign() {
      const url = "https://hooks.example.com/hubspot?a=1";
      const body = JSON.stringify([{ eventId: 531833541, subscriptionType: "contact.creation", objectId: 46 }]);
      return {
        secrets: [hubspotSecret], other_secret: secret("another").slice(0, 36),
        url, signs_url: version === "v2" ? whole : [],
        headers: {
          "Content-Type": "application/json",
          "X-HubSpot-Signature-Version": version,
          "X-HubSpot-Signature": Signature.getSignature("POST", version, { clientSecret: hubspotSecret, url, requestBody: body }),
        },
        body,
        signature_headers: ["X-HubSpot-Signature"],
        untimed,
      };
    },
    accepts: ({ url, body, headers }) =>
      Signature.isValid({ signatureVersion: version, method: "POST", clientSecret: hubspotSecret, url, requestBody: body, signature: headers["X-HubSpot-Signature"] }),
  })),
  {
    provider: "square", sdk: "square",
    async sign() {
      const event = { merchant_id: "ML1", type: "payment.created", event_id: "13b867cf-db3d-4b1c-90b6-2f32a9d78124", data: { id: "p1" } };
      const body = JSON.stringify(event);
      return {
        secrets: [squareKey], other_secret: secret("another").slice(0, 22),
        url: address, signs_url: whole,
        headers: { "Content-Type": "application/json", "x-square-hmacsha256-signature": hmac("sha256", squareKey, address + body, "base64") },
        body, id: event.event_id, type: event.type,
        signature_headers: ["x-square-hmacsha256-signature"],
        untimed,
      };
    },
    accepts: ({ url, body, headers }) =>
      WebhooksHelper.verifySignature({ requestBody: body, signatureHeader: headers["x-square-hmacsha256-signature"], signatureKey: squareKey, notificationUrl: url }),
  },
];
