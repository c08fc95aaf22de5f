"""Does what drive.mjs does, with the snippet in Python."""

import base64
import sys

from verify import verify

for line in sys.stdin:
    identity, timestamp, signatures, now, body = line.rstrip("\n").split("|")
    headers = {"webhook-id": identity, "webhook-timestamp": timestamp, "webhook-signature": signatures}
    headers = {name: value for name, value in headers.items() if value}
    print("yes" if verify(headers, base64.b64decode(body), int(now)) else "no")
