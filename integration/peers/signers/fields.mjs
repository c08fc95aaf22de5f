// Providers that sign members of the body, and put the signature in there.
import { createSign } from "node:crypto";
import https from "node:https";
import { PassThrough } from "node:stream";
import { hmacValidator as AdyenValidator } from "@adyen/api-library";
import { PayOS } from "@payos/node";
import MessageValidator from "sns-validator";
import { certificate, certificateKey } from "./certificate.mjs";
import { secret } from "./keys.mjs";

const untimed = "the provider does not sign the time of sending";
const adyenKey = secret("adyen items").toUpperCase();
const payosKey = secret("payos");
const payos = new PayOS({ clientId: "unused", apiKey: "unused", checksumKey: payosKey });

const certificateURL = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem";

export default [
  {
    provider: "adyen", sdk: "@adyen/api-library", signs: true,
    async sign() {
      const item = {
        additionalData: {}, amount: { currency: "EUR", value: 1130 }, eventCode: "AUTHORISATION", eventDate: "2026-01-05T10:30:00+01:00",
        merchantAccountCode: "TestMerchant", merchantReference: "TestPayment-1407325143704", originalReference: "", paymentMethod: "visa",
        pspReference: "7914073381342284", success: "true",
      };
      const signature = new AdyenValidator().calculateHmac(item, adyenKey);
      item.additionalData.hmacSignature = signature;
      return {
        secrets: [adyenKey], other_secret: secret("another").toUpperCase(),
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ live: "false", notificationItems: [{ NotificationRequestItem: item }] }),
        signature_text: signature,
        covers: ["7914073381342284", "TestMerchant", "TestPayment-1407325143704", "1130", "EUR", "AUTHORISATION", "true"],
        uncovered: "the provider signs eight members of an item",
        untimed,
      };
    },
    accepts: ({ body }) => new AdyenValidator().validateHMAC(JSON.parse(body).notificationItems[0].NotificationRequestItem, adyenKey),
  },
  {
    provider: "payos", sdk: "@payos/node", signs: true,
    async sign() {
      const data = {
        orderCode: 123, amount: 3000, description: "VQRIO123", accountNumber: "12345678", reference: "TF230204212323",
        transactionDateTime: "2026-02-04 18:25:00", currency: "VND", paymentLinkId: "124c33293c43417ab7879e14c8d9eb18", code: "00", desc: "Thành công",
        counterAccountName: null,
      };
      const signature = await payos.crypto.createSignatureFromObj(data, payosKey);
      return {
        secrets: [payosKey], other_secret: secret("another"),
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ code: "00", desc: "success", success: true, data, signature }),
        signature_text: signature,
        covers: ["3000", "VQRIO123", "TF230204212323", "124c33293c43417ab7879e14c8d9eb18", "công"],
        uncovered: "the provider signs the member \"data\" alone",
        untimed,
      };
    },
    accepts: async ({ body }) => Boolean(await payos.webhooks.verify(JSON.parse(body))),
  },
  {
    provider: "sns", sdk: "sns-validator",
    async sign(now) {
      const message = {
        Type: "Notification", MessageId: "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", TopicArn: "arn:aws:sns:eu-central-1:123456789012:MyTopic",
        Subject: "My First Message", Message: "Hello \"world\"\né", Timestamp: new Date(now * 1000).toISOString(), SignatureVersion: "2",
      };
      const signer = createSign("RSA-SHA256");
      for (const name of ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]) signer.update(`${name}\n${message[name]}\n`, "utf8");
      message.Signature = signer.sign(certificateKey, "base64");
      message.SigningCertURL = certificateURL;
      message.UnsubscribeURL = "https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe";
      return {
        secrets: [],
        headers: { "Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": "Notification", "x-amz-sns-topic-arn": message.TopicArn },
        body: JSON.stringify(message), id: message.MessageId, type: "Notification",
        parameters: { topics: message.TopicArn },
        fetch: { [certificateURL]: certificate },
        signature_text: message.Signature,
        covers: ["22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "My First Message", "Hello", "world"],
        uncovered: "the provider signs some members only",
        // It is that of the first attempt, and Amazon tries for an hour.
        timestamp: { body: true, text: message.Timestamp, late: 3600 },
      };
    },
    accepts({ body }) {
      // What the library fetches is handed to it.
      const { get } = https;
      https.get = (url, answer) => {
        const stream = Object.assign(new PassThrough(), { statusCode: url === certificateURL ? 200 : 404 });
        setImmediate(() => { answer(stream); stream.end(certificate); });
        return stream;
      };
      return new Promise((resolve) => new MessageValidator().validate(body, (error) => resolve(!error))).finally(() => { https.get = get; });
    },
  },
];
