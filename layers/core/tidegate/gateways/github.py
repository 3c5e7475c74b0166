"""Archives of commits by GitHub's REST API (GitHub: "REST API endpoints for repository contents")."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn, TypeVar
from urllib.parse import SplitResult, urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from tidegate.gateways.errors import RevisionFault, UnavailableError
from tidegate.gateways.github_answers import AgainError, refusal
from tidegate.gateways.github_tokens import Token
from tidegate.model.deployment import ErrorCode

_Kept = TypeVar("_Kept")

#: Longest time to wait, all tries together, for limits to be lifted and for failures to pass. Seconds.
PATIENCE: Final = 240.0
#: Longest time that one archive may take to come; a step's own time has to outlast this and the patience.
WHOLE: Final = 420.0
#: Largest archive that is taken, in bytes: what S3 copies in one call.
MOST_BYTES: Final = 5 << 30
_TRIES: Final = 5
_REDIRECTIONS: Final = 5
_TIMEOUT: Final = urllib3.Timeout(connect=5, read=30)
_REPOSITORY: Final = re.compile(r"(?!\.{1,2}/)[A-Za-z0-9_.-]+/(?!\.{1,2}$)[A-Za-z0-9_.-]+")
_COMMIT: Final = re.compile(r"[0-9a-fA-F]{40}")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


class Archive:
    """An archive as it comes: read once, forward; never whole in memory.

    Raises ``AgainError`` where the connection breaks, and ``RevisionFault`` for one that is too large or too slow.
    """

    def __init__(self, name: str, response: Any, clock: Callable[[], float]) -> None:
        self._name, self._response, self._clock = name, response, clock
        self._until = clock() + WHOLE
        self.size = 0

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end alone."""
        if self._clock() > self._until:
            message = f"The archive of {self._name} took longer than {WHOLE:.0f} seconds; {self.size} bytes had come."
            raise RevisionFault(ErrorCode.TIMEOUT, f"{message} Deploy again, or make the repository smaller.")
        try:
            data: bytes = self._response.read(size)
        except (HTTPError, OSError) as error:
            raise AgainError(f"the archive broke off after {self.size} bytes ({type(error).__name__})") from None
        self.size += len(data)
        if self.size > MOST_BYTES:
            message = f"The archive of {self._name} is larger than {MOST_BYTES >> 20} MiB, the most that is taken."
            raise RevisionFault(ErrorCode.INVALID_REVISION, message)
        return data


class GitHub:
    """Fetches archives of commits.

    Parameters
    ----------
    api_url
        Where the API is: ``https://api.github.com``, or ``https://<host>/api/v3`` of a GitHub Enterprise Server.
    clock, sleep
        Epoch seconds, and a way to wait for some.

    Raises
    ------
    UnavailableError
        The URL is not encrypted, and not this machine's.
    """

    def __init__(
        self, api_url: str, *, clock: Callable[[], float] = time.time, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._api = urlsplit(api_url.rstrip("/"))
        if not _safe(self._api):
            message = f"The stack parameter GitHubApiUrl is {api_url!r}; it must be an https URL."
            raise UnavailableError(message)
        self._clock, self._sleep = clock, sleep
        self._pool = urllib3.PoolManager(headers={"User-Agent": "tidegate"}, timeout=_TIMEOUT, retries=False)

    def fetch(self, repository: str, commit: str, token: Token, keep: Callable[[Archive], _Kept]) -> _Kept:
        """Hand a commit's archive, a tar compressed with gzip, to ``keep``; what that makes of it is returned.

        Called again from the beginning where an archive breaks off: ``keep`` must not leave half of one.

        Raises
        ------
        RevisionFault
            MISSING_GITHUB_TOKEN, REVISION_MISSING, INVALID_REVISION, TIMEOUT, or THROTTLED: a rate limit that lasts
            for longer than we wait.
        UnavailableError
            GitHub cannot be reached or answers with faults of its own, for longer than we wait.
        """
        if not (_REPOSITORY.fullmatch(repository) and _COMMIT.fullmatch(commit)):
            message = f"{repository!r} at {commit!r} is no repository owner/name at a commit of 40 digits."
            raise RevisionFault(ErrorCode.INVALID_REVISION, message)
        name = f"github:{repository}@{commit}"
        url = f"{self._api.geturl()}/repos/{repository}/tarball/{commit}"
        until, tries = self._clock() + PATIENCE, 0
        while True:
            try:
                with self._archive(name, url, token) as archive:
                    return keep(archive)
            except AgainError as again:
                tries += 1
                pause = again.wait if again.wait is not None else float(2**tries)
                if self._clock() + pause > until or tries >= _TRIES:
                    _give_up(name, again)
                self._sleep(pause)

    @contextmanager
    def _archive(self, name: str, url: str, token: Token) -> Iterator[Archive]:
        response, at = self._answer(url, token)
        try:
            if response.status != 200:
                body = b"" if at != self._api.netloc else _beginning(response)
                raise refusal(
                    name, token, response.status, response.headers, body, self._clock(), from_api=at == self._api.netloc
                )
            yield Archive(name, response, self._clock)
        finally:
            response.close()

    def _answer(self, url: str, token: Token) -> tuple[Any, str]:
        """The first answer that is no redirection, and who gave it."""
        for _ in range(_REDIRECTIONS):
            here = urlsplit(url)
            headers = {"User-Agent": "tidegate"}
            # The token is the API's: whoever else we are sent to does not get it.
            if (here.scheme, here.netloc) == (self._api.scheme, self._api.netloc):
                headers |= {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
                headers |= {"Authorization": f"Bearer {token.value}"} if token.value else {}
            try:
                response = self._pool.request("GET", url, headers=headers, redirect=False, preload_content=False)
            except (HTTPError, OSError) as error:
                # The error's own text may hold the address, and that a token for this one archive.
                raise AgainError(f"{here.hostname} cannot be reached ({type(error).__name__})") from None
            if response.status not in (301, 302, 303, 307, 308):
                return response, here.netloc
            response.close()
            url = self._next(url, response.headers.get("Location"))
        raise UnavailableError(f"GitHub redirected more than {_REDIRECTIONS} times")

    def _next(self, url: str, location: str | None) -> str:
        following = urljoin(url, location or "")
        if not location or not _safe(urlsplit(following), beside=self._api):
            raise UnavailableError("GitHub redirected to an address that is not encrypted, or to none")
        return following


def _safe(url: SplitResult, beside: SplitResult | None = None) -> bool:
    """Encrypted; or on this machine, where what leads there is on this machine too."""
    local = url.hostname in _LOOPBACK and (beside is None or beside.hostname in _LOOPBACK)
    return bool(url.hostname) and (url.scheme == "https" or (url.scheme == "http" and local))


def _beginning(response: Any) -> bytes:
    try:
        return bytes(response.read(4096))
    except (HTTPError, OSError):
        return b""


def _give_up(name: str, again: AgainError) -> NoReturn:
    if not again.limited:
        raise UnavailableError(f"{name} cannot be fetched: {again}.") from None
    wait = "" if again.wait is None else f" GitHub wants to be asked again in {again.wait:.0f} seconds."
    raise RevisionFault(ErrorCode.THROTTLED, f"{name} cannot be fetched: {again}{wait} Deploy again then.") from None
