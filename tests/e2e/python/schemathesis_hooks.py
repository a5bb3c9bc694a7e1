"""What no schema says of the HTTP API, for the generator of requests (docs/http-api.md)."""

import schemathesis

# Long enough to wait for an acknowledgement that will not come.
WAIT_MS_MAX = 5


@schemathesis.hook
def map_case(context, case):
    if isinstance(case.body, dict):
        if "message_id" in case.body and case.headers:
            # The two are one thing, and are refused where they differ.
            case.headers.pop("Idempotency-Key", None)
        wait = case.body.get("wait_acknowledged_ms")
        if isinstance(wait, int) and WAIT_MS_MAX < wait <= 60_000:
            case.body["wait_acknowledged_ms"] = WAIT_MS_MAX
    return case
