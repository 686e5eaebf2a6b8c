// Signed cookies, as cookie-signature and cookie make and read them.
import { createHmac } from "node:crypto";

const mac = (id, secret) => createHmac("sha256", secret).update(id).digest("base64").replace(/=+$/, "");

/** The signed form of `id`, before percent-encoding. */
export const sign = (id, secret) => `s:${id}.${mac(id, secret)}`;

/** The id in a cookie's value that was signed with `secret`, or null. */
export function unsign(value, secret) {
  const text = decodeURIComponent(value);
  const dot = text.lastIndexOf(".");
  if (!text.startsWith("s:") || dot < 0) return null;
  const id = text.slice(2, dot);
  return sign(id, secret) === text && encodeURIComponent(text) === value ? id : null;
}

/** A `Set-Cookie` header in its parts; attributes in their order, `Expires` in milliseconds. */
export function parse(header) {
  const [pair, ...rest] = header.split("; ");
  const equals = pair.indexOf("=");
  const attributes = rest.map((attribute) => {
    const [key, value = null] = attribute.split(/=(.*)/s);
    return [key, value];
  });
  return {
    name: pair.slice(0, equals),
    value: pair.slice(equals + 1),
    attributes,
    get: (key) => attributes.find(([name]) => name === key)?.[1],
    expires: Date.parse(attributes.find(([name]) => name === "Expires")?.[1]),
  };
}
