"""Getting things over HTTP to disk, checked while they arrive. No URL ever reaches a message."""

import contextlib
import hashlib
import os
import re
import time
from typing import Any, Callable, Dict

from tidegate_runner.errors import EventError
from tidegate_runner.files import describe
from tidegate_runner.system import free_bytes
from tidegate_runner.web import ask

_CHUNK = 1024 * 1024
_TIMEOUT = 30
_PAUSES = (1.0, 3.0, 9.0)


class _RefusedError(Exception):
    """The server's answer will not change by asking again."""


def download(bundle: Dict[str, Any], path: str, sleep: Callable[[float], None] = time.sleep) -> None:
    """Download the bundle of an order to `path`, with retries.

    Parameters
    ----------
    bundle : dict
        ``url``, ``sha256`` and optionally ``size`` (bytes).

    Raises
    ------
    EventError
        When it cannot be had, or is not what the order says; nothing stays at `path` then.
    """
    _check_space(bundle.get("size"), os.path.dirname(path))
    problem = ""
    for pause in (0.0,) + _PAUSES:
        sleep(pause)
        try:
            _download_once(bundle, path)
        except (_RefusedError, OSError, ValueError) as error:  # urllib's are OSErrors
            problem = _reason(error)
            _remove(path)
            if isinstance(error, _RefusedError):
                break
        else:
            return
    raise EventError("Could not download bundle at %s: %s." % (_host_of(bundle["url"]), problem))


def _download_once(bundle: Dict[str, Any], path: str) -> None:
    digest = hashlib.sha256()
    received = 0
    with _opened(bundle["url"]) as response, open(path, "wb") as stream:
        for chunk in iter(lambda: response.read(_CHUNK), b""):
            digest.update(chunk)
            received += len(chunk)
            if bundle.get("size") is not None and received > int(bundle["size"]):
                raise _RefusedError("it is larger than the %s bytes expected" % bundle["size"])
            stream.write(chunk)
    if digest.hexdigest() != bundle["sha256"]:
        problem = "%d bytes arrived with sha256 %s, expected %s" % (received, digest.hexdigest(), bundle["sha256"])
        if received == bundle.get("size"):
            raise _RefusedError(problem)
        raise OSError(problem)  # perhaps the connection was cut short


def _opened(url: str) -> Any:
    if url.startswith("file:///"):
        return open(url[len("file://") :], "rb")
    answer = ask(url, _TIMEOUT)
    if answer is not None:
        with contextlib.ExitStack() as stack:
            stack.enter_context(answer)
            _refuse(answer.code, answer.reason)
            stack.pop_all()
        return answer
    import urllib.error
    import urllib.request

    try:
        return urllib.request.urlopen(url, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            _refuse(error.code, str(error.reason))
        raise


def _refuse(code: int, reason: str) -> None:
    if 200 <= code < 300:
        return
    problem = "the server answered %d %s" % (code, reason)
    raise _RefusedError(problem) if code < 500 and code not in (408, 429) else OSError(problem)


def _check_space(size: Any, folder: str) -> None:
    free = free_bytes(folder)
    if size is not None and int(size) > free:
        raise EventError(
            "The disk is full: the bundle has %s bytes, %s has %d bytes free. Make room, then deploy again."
            % (size, folder, free)
        )


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None)  # urllib's error around another
    if isinstance(reason, OSError):
        return str(reason)
    if isinstance(error, OSError) and error.strerror:
        return describe(error)
    return str(error) or type(error).__name__


def _host_of(url: str) -> str:
    found = re.match("[a-z]+://(?:[^/?#]*@)?([^/?#:]+)", url)
    return found.group(1) if found else "an unknown host"


def _remove(path: str) -> None:
    if os.path.lexists(path):
        os.unlink(path)
