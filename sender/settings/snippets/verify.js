import { createHmac, timingSafeEqual } from "node:crypto";

// Keep the secret out of your code: read it from the environment, say.
const secret = "{{secret}}";

// Tells whether a request is authentic and no older than five minutes. headers
// are Node's req.headers. body must be a Buffer of the bytes that arrived,
// before anything has parsed them (Express: express.raw({ type: "*/*" })). The
// webhook-id stays the same when an event is delivered again: use it to drop
// duplicates.
export function verify(headers, body, now = Date.now() / 1000) {
  const id = headers["webhook-id"];
  const timestamp = headers["webhook-timestamp"];
  if (!id || !/^\d+$/.test(timestamp) || Math.abs(now - timestamp) > 300) return false;
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const mac = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body);
  const want = Buffer.from(`v1,${mac.digest("base64")}`);
  return (headers["webhook-signature"] ?? "").split(" ").some((signature) => {
    const got = Buffer.from(signature);
    return got.length === want.length && timingSafeEqual(got, want);
  });
}
