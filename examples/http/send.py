#!/usr/bin/env python3
"""Sends to a user from Python with nothing but its standard library, and has the message stored until the user has it.

    python3 examples/http/send.py alice-room7 "your order is on its way"

API_URL says where the API is, API_KEY is the key, where one is needed.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

API = os.environ.get("API_URL", "http://127.0.0.1:8090")
KEY = os.environ.get("API_KEY", "none")
ATTEMPTS_MAX = 5


def send(user, message):
    """The receipt. A message that is stored has an id, so it may be sent again whatever happened: it is stored once."""
    request = urllib.request.Request(
        f"{API}/v1/users/{urllib.parse.quote(user, safe='')}/messages",
        json.dumps(message).encode(),
        {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {KEY}",
            "Idempotency-Key": str(uuid.uuid4()),
        },
    )
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            error = json.load(refused)["error"]
            again = refused.status in (408, 429) or refused.status >= 502
            if not again or attempt == ATTEMPTS_MAX:
                raise SystemExit(f"{error['reason']}: {error['message']}")
            pause = float(refused.headers.get("Retry-After", attempt))
        except OSError as broken:
            if attempt == ATTEMPTS_MAX:
                raise SystemExit(f"{API}: {broken}")
            pause = attempt
        time.sleep(pause)


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    user, text = sys.argv[1:]
    receipt = send(user, {"topic": "chat", "data": {"text": text}, "guarantee": "at_least_once"})
    again = ", as before" if receipt["is_duplicate"] else ""
    print(f"{receipt['outcome']}: {receipt['sessions']} sessions, offset {receipt['stored_offset']}{again}")


if __name__ == "__main__":
    main()
