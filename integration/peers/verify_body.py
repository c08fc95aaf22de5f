"""Verifies the signature inside the body with one line of string slicing.

Reads the lines that verify.mjs reads, and writes one JSON object for each:
{"id": "evt_...", "body_ok": true, "error": ""}
"""

import base64
import hashlib
import hmac
import json
import sys


# What the documentation shows. body and key (the decoded secret) are bytes.
def verify_body(body, key):
    return hmac.compare_digest(body[-87:], b',"signature":"sha256=%s"}' % hmac.new(key, body[:-87] + b"}", hashlib.sha256).hexdigest().encode())


for line in sys.stdin:
    if not line.strip():
        continue
    result = {"id": None, "body_ok": False, "error": ""}
    try:
        delivery = json.loads(line)
        for name, value in delivery["headers"].items():
            if name.lower() == "webhook-id":
                result["id"] = value if isinstance(value, str) else ", ".join(value)
        body = base64.b64decode(delivery["body_base64"], validate=True)
        key = base64.b64decode(delivery["secret"].removeprefix("whsec_"), validate=True)
        result["body_ok"] = verify_body(body, key)
        if not result["body_ok"]:
            result["error"] = "body: signature mismatch"
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        result["error"] = f"input: {e!r}"
    print(json.dumps(result, separators=(",", ":")), flush=True)
