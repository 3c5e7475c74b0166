"""Posting small files home under the order's grant: a pre-signed POST bound to one key prefix."""

import os
from typing import Any, Dict, List, Tuple

from tidegate_runner.web import ask

TIMEOUT = 3.0
_NAME_HERE = "${filename}"


def post(grant: Dict[str, Any], name: str, content: bytes) -> bool:
    """Upload a file; tell whether it was taken. Whatever goes wrong, nothing is raised.

    Parameters
    ----------
    grant : dict
        ``url`` and ``fields``; ``${filename}`` in the field ``key`` stands for the name.
    name : str
        Of the file, below the grant's prefix; it may hold slashes.
    """
    try:
        kind, body = _form(grant, name, content)
        answer = ask(grant["url"], TIMEOUT, body, kind)
        if answer is not None:
            with answer:
                return 200 <= answer.code < 300
        import urllib.request

        request = urllib.request.Request(grant["url"], data=body, headers={"Content-Type": kind}, method="POST")
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            response.read()
    except Exception:  # the deployment matters more, whatever it is
        return False
    return True


def _form(grant: Dict[str, Any], name: str, content: bytes) -> Tuple[str, bytes]:
    boundary = "tidegate-" + os.urandom(16).hex()
    parts: List[bytes] = []
    for field, value in grant.get("fields", {}).items():
        # S3 would take only what follows the last slash of a file's name, so the key is made here.
        text = str(value).replace(_NAME_HERE, name) if field == "key" else str(value)
        head = '--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n' % (boundary, field)
        parts.append(head.encode("utf-8") + text.encode("utf-8") + b"\r\n")
    last = os.path.basename(name)
    head = '--%s\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n' % (boundary, last)
    parts.append(head.encode("utf-8") + b"Content-Type: application/json\r\n\r\n" + content + b"\r\n")
    parts.append(("--%s--\r\n" % boundary).encode("ascii"))
    return "multipart/form-data; boundary=" + boundary, b"".join(parts)
