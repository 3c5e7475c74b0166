"""What moto 5.2.5 does otherwise than AWS, put right.

Nearly all hooks are private to moto: its version is pinned, and `tests/local/cloud/test_patches.py` has one assertion a
row. `install` may be called again: it changes nothing then.
"""

from __future__ import annotations

import logging

_installed = False


def install() -> None:
    """Put all patches into this process's moto."""
    global _installed
    if _installed:
        return
    from tidegate_local.patches import (
        cloudwatch,
        dynamodb,
        dynamodb_streams,
        quicker,
        s3,
        server,
        stepfunctions,
        stepfunctions_tokens,
        sts,
    )

    stepfunctions.install()
    stepfunctions_tokens.install()
    dynamodb.install()
    dynamodb_streams.install()
    s3.install()
    cloudwatch.install()
    sts.install()
    server.install()
    quicker.install()
    # moto logs a Python dump of every failed state; werkzeug a line for every request.
    logging.getLogger("moto.stepfunctions").setLevel(logging.CRITICAL)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    _installed = True
