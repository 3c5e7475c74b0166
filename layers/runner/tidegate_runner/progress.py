"""Telling how far a stage has come, for those who look. Best effort: it never delays or fails a deployment.

A thread posts the newest state; states that were overtaken while a post was under way are left out.
"""

import json
import os
import threading
import urllib.request
from typing import Any, Dict, List, Optional

_TIMEOUT = 3
_PAUSE = 0.3
_LAST_WAIT = 1.0
_GIVE_UP_AFTER = 3


class Progress:
    """Posts progress documents by a pre-signed POST form."""

    def __init__(self, grant: Optional[Dict[str, Any]], target: str) -> None:
        self._grant = grant if target else None
        self._target = target
        self._newest: Optional[Dict[str, Any]] = None
        self._ending = False
        self._wake = threading.Condition()
        self._thread: Optional[threading.Thread] = None

    def show(self, document: Dict[str, Any]) -> None:
        """Have a state posted soon."""
        if self._grant is None:
            return
        with self._wake:
            self._newest = document
            self._wake.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Give the newest state a moment to get out."""
        with self._wake:
            self._ending = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(_LAST_WAIT)

    def _run(self) -> None:
        failures = 0
        while failures < _GIVE_UP_AFTER:
            with self._wake:
                while self._newest is None and not self._ending:
                    self._wake.wait()
                document, self._newest = self._newest, None
            if document is None:
                return
            failures = 0 if self._post(document) else failures + 1
            with self._wake:
                if not self._ending:
                    self._wake.wait_for(lambda: self._ending, _PAUSE)

    def _post(self, document: Dict[str, Any]) -> bool:
        assert self._grant is not None
        try:
            request = _form_request(self._grant, self._target + ".json", json.dumps(document).encode("ascii"))
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
                response.read()
        except Exception:  # whatever it is, the deployment matters more
            return False
        return True


def _form_request(grant: Dict[str, Any], filename: str, content: bytes) -> urllib.request.Request:
    boundary = "tidegate-" + os.urandom(16).hex()
    parts: List[bytes] = []
    for name, value in grant.get("fields", {}).items():
        head = '--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n' % (boundary, name)
        parts.append(head.encode("utf-8") + str(value).encode("utf-8") + b"\r\n")
    head = '--%s\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n' % (boundary, filename)
    parts.append(head.encode("utf-8") + b"Content-Type: application/json\r\n\r\n" + content + b"\r\n")
    parts.append(("--%s--\r\n" % boundary).encode("ascii"))
    headers = {"Content-Type": "multipart/form-data; boundary=" + boundary}
    return urllib.request.Request(grant["url"], data=b"".join(parts), headers=headers, method="POST")
