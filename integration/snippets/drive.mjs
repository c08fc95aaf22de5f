// Reads requests, one a line: id|timestamp|signatures|now|body in base64. Prints
// yes or no for each: whether the snippet takes it for authentic.
import { createInterface } from "node:readline";
import { verify } from "./verify.mjs";

for await (const line of createInterface({ input: process.stdin })) {
  const [id, timestamp, signatures, now, body] = line.split("|");
  const headers = { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures };
  for (const name in headers) if (headers[name] === "") delete headers[name];
  console.log(verify(headers, Buffer.from(body, "base64"), Number(now)) ? "yes" : "no");
}
