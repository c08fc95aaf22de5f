// Verifies deliveries with the official Standard Webhooks library and, for the
// signature inside the body, with one line of string slicing.
//
// Reads one JSON object per line:
//   {"headers": {...}, "body_base64": "...", "secret": "whsec_...", "now": 1709634600}
// where header values may be strings or lists of one string, and now (Unix
// seconds, optional) sets the clock, so that old vectors can be checked.
//
// Writes one JSON object per line read:
//   {"id": "evt_...", "headers_ok": true, "body_ok": true, "error": ""}
import { createHmac, timingSafeEqual } from "node:crypto";
import { createInterface } from "node:readline";
import { Webhook } from "standardwebhooks";

// What the documentation shows. body is a Buffer, key the decoded secret.
const verifyBody = (body, key) => timingSafeEqual(body.subarray(-87), Buffer.from(`,"signature":"sha256=${createHmac("sha256", key).update(body.subarray(0, -87)).update("}").digest("hex")}"}`));

const realNow = Date.now;

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() === "") continue;
  const result = { id: null, headers_ok: false, body_ok: false, error: "" };
  const errors = [];
  try {
    const delivery = JSON.parse(line);
    const headers = Object.fromEntries(
      Object.entries(delivery.headers).map(([name, value]) => [name.toLowerCase(), [value].flat().join(", ")]),
    );
    const body = Buffer.from(delivery.body_base64, "base64");
    result.id = headers["webhook-id"] ?? null;

    if (delivery.now !== undefined) Date.now = () => delivery.now * 1000;
    try {
      new Webhook(delivery.secret).verify(body, headers, { jsonParse: false });
      result.headers_ok = true;
    } catch (e) {
      errors.push(`headers: ${e.message}`);
    } finally {
      Date.now = realNow;
    }

    try {
      result.body_ok = verifyBody(body, Buffer.from(delivery.secret.replace("whsec_", ""), "base64"));
      if (!result.body_ok) errors.push("body: signature mismatch");
    } catch (e) {
      errors.push(`body: ${e.message}`);
    }
  } catch (e) {
    errors.push(`input: ${e.message}`);
  }
  result.error = errors.join("; ");
  console.log(JSON.stringify(result));
}
