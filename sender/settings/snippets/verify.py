import base64
import hashlib
import hmac
import time

# Keep the secret out of your code: read it from the environment, say.
SECRET = "{{secret}}"


def verify(headers, body, now=None):
    """Tells whether a request is authentic and no older than five minutes.

    body must be the bytes that arrived, before anything has parsed them (Flask:
    request.get_data(), Django: request.body, FastAPI: await request.body()). The
    webhook-id stays the same when an event is delivered again: use it to drop
    duplicates.
    """
    identity = headers.get("webhook-id") or ""
    timestamp = headers.get("webhook-timestamp") or ""
    now = time.time() if now is None else now
    if not identity or not (timestamp.isascii() and timestamp.isdigit()) or abs(now - int(timestamp)) > 300:
        return False
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = f"{identity}.{timestamp}.".encode() + body
    want = b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
    signatures = (headers.get("webhook-signature") or "").encode().split(b" ")
    return any(hmac.compare_digest(signature, want) for signature in signatures)
