import json
import os
import sys

import shared_words

CALLS = 0


def handler(event, context):
    global CALLS
    CALLS += 1
    sys.stdout.write(f"echo call {CALLS}\n")
    seen = {
        "calls": CALLS,
        "greeting": shared_words.GREETING,
        "flavour": os.environ["FLAVOUR"],
        "buckets": os.environ["BUCKETS"],
        "function": context.function_name,
        "milliseconds": context.get_remaining_time_in_millis(),
        "event": event,
    }
    if isinstance(event, dict) and "httpMethod" in event:
        return {"statusCode": 201, "headers": {"X-Kind": "echo"}, "body": json.dumps(seen)}
    return seen
