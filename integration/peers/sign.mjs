// Signs webhook requests with the providers' own libraries, for a receiver that
// shares no code with them.
//
// Writes one JSON object per request; integration/sdk_request_test.go says what
// its members mean. A library that can only verify is used the other way round:
// the request is signed here in plain code, the library has to accept exactly
// this request, and to refuse it with one byte changed.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import address from "./signers/address.mjs";
import body from "./signers/body.mjs";
import fields from "./signers/fields.mjs";
import message from "./signers/message.mjs";
import standard from "./signers/standard.mjs";
import timestamp from "./signers/timestamp.mjs";


const now = Math.floor(Date.now() / 1000);

for (const signer of [...standard, ...timestamp, ...body, ...address, ...fields, ...message]) {
  try {
    process.stdout.write(`${JSON.stringify(await prove(signer))}\n`);
  } catch (e) {
    throw new Error(`${signer.provider} with ${signer.sdk}: ${e.message}`, { cause: e });
  }
}

// prove makes a signer's request, and has the library confirm it.
async function prove(signer) {
  const request = await signer.sign(now);
  let accepted = false;
  if (signer.accepts) {
    if ((await verdict(signer, request)) !== true) throw new Error("the library does not accept the request");
    if ((await verdict(signer, altered(request))) === true) throw new Error("the library accepts an altered request");
    accepted = true;
  }
  if (!signer.signs && !accepted) throw new Error("the library neither signed nor verified");
  const line = {
    provider: signer.provider,
    sdk: signer.sdk,
    sdk_version: version(signer.sdk),
    signed_by_sdk: signer.signs === true,
    accepted_by_sdk: accepted,
    method: "POST",
    ...request,
    body: undefined,
    body_base64: base64(request.body),
    now,
  };
  if (signer.retries) {
    // The same event, sent again a minute later.
    const retry = await signer.sign(now + 60);
    line.retry = { now: now + 60, headers: retry.headers, body_base64: base64(retry.body) };
  }
  return line;
}

function base64(text) {
  return Buffer.from(text, "utf8").toString("base64");
}

async function verdict(signer, request) {
  try {
    return await signer.accepts(request);
  } catch {
    return false;
  }
}

// altered changes one character that the signature covers.
function altered(request) {
  const covered = request.covers?.[0] ?? request.body;
  const at = request.body.lastIndexOf(covered) + Math.floor(covered.length / 2);
  const other = request.body[at] === "0" ? "1" : "0";
  return { ...request, body: request.body.slice(0, at) + other + request.body.slice(at + 1) };
}

// version is that of the installed package, whose package.json need not be
// among its exports.
function version(name) {
  return JSON.parse(readFileSync(fileURLToPath(new URL(`node_modules/${name}/package.json`, import.meta.url)))).version;
}
