// The keys of the requests: made up, and the same at each run.
import { createHash, createHmac, createPrivateKey } from "node:crypto";

const seed = (text) => createHash("sha256").update(text).digest();

// secret is a raw secret with the prefix that the provider gives its own.
export const secret = (name, prefix = "") => prefix + seed(name).toString("hex");

// whsec is a secret of Standard Webhooks.
export const whsec = (name) => `whsec_${seed(name).toString("base64")}`;

// hmac is what a provider's documentation tells its users to compute.
export const hmac = (algorithm, key, content, encoding) => createHmac(algorithm, key).update(content).digest(encoding);

// ed25519 is a private key whose 32 bytes are made from the name.
export const ed25519 = (name) =>
  createPrivateKey({ key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed(name)]), format: "der", type: "pkcs8" });

// rawPublicKey is the 32 bytes of an Ed25519 public key.
export const rawPublicKey = (key) => Buffer.from(key.export({ format: "jwk" }).x, "base64url");
