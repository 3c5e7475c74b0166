"""What the application answers."""

import socket
from pathlib import Path

VERSION = (Path(__file__).resolve().parent / "VERSION").read_text().strip()


def index():
    """Return what a visitor sees: the version and the host that serves it."""
    return {"host": socket.gethostname(), "version": VERSION}


def health():
    """Return what a monitor sees."""
    return {"status": "ok", "version": VERSION}
