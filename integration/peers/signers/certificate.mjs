// A certificate for a signature that is checked with one, made at each run.
import { generateKeyPairSync, sign } from "node:crypto";

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });

// The few elements of DER (X.690) that a certificate (RFC 5280) is made of.
const element = (tag, ...content) => {
  const value = Buffer.concat(content);
  const length = value.length < 128 ? [value.length] : [0x82, value.length >> 8, value.length & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), value]);
};
const sequence = (...content) => element(0x30, ...content);
const text = (tag, value) => element(tag, Buffer.from(value));
const sha256WithRSA = sequence(Buffer.from("06092a864886f70d01010b0500", "hex"));
const name = (common) => sequence(element(0x31, sequence(Buffer.from("0603550403", "hex"), text(0x0c, common))));

const signed = sequence(
  Buffer.from("a003020102", "hex"), // version 3
  element(0x02, Buffer.from([1])), // serial number
  sha256WithRSA,
  name("sns.amazonaws.com"),
  sequence(text(0x17, "200101000000Z"), text(0x17, "491231235959Z")),
  name("sns.amazonaws.com"),
  publicKey.export({ format: "der", type: "spki" }),
);
const der = sequence(signed, sha256WithRSA, element(0x03, Buffer.from([0]), sign("sha256", signed, privateKey)));

export const certificateKey = privateKey;
export const certificate = `-----BEGIN CERTIFICATE-----\n${der.toString("base64").match(/.{1,64}/g).join("\n")}\n-----END CERTIFICATE-----\n`;
