"""What holds for all tests."""

from __future__ import annotations

from tidegate_local import descriptions

# Hundreds of tests make clients of their own; reading what AWS's services are like costs most of that.
descriptions.share()
