"""``python -m bench``: all benchmarks there are."""

from __future__ import annotations

import sys

from bench.micro.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
