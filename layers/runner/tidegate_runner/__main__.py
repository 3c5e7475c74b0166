"""``python -m tidegate_runner < order.json``: carry out an order by hand."""

import sys

from tidegate_runner.front import main

if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer.read()))
