"""Revisions from GitHub, over a server on this machine that answers as GitHub's API does."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import random
import tarfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.unit.gateways.github_server import (
    COMMIT,
    ONE_TIME,
    TOKEN,
    Answer,
    GitHubServer,
    bit_by_bit,
    half,
    half_of_what_was_promised,
)

from tidegate.gateways import github as gateway
from tidegate.gateways import github_bundles
from tidegate.gateways.bundles import Bundle, Bundles
from tidegate.gateways.errors import RevisionFault, UnavailableError
from tidegate.gateways.github import GitHub
from tidegate.gateways.github_bundles import GitHubBundles
from tidegate.gateways.github_tokens import GitHubTokens

APPSPEC = b"version: 0.0\nos: linux\n"
NOW = 1_764_000_000.0


class World:
    """The stack's bucket, its tokens, and a clock that moves when somebody sleeps."""

    def __init__(self, cloud: Callable[[str], Any], server: GitHubServer) -> None:
        self.server, self.s3, self.secrets = server, cloud("s3"), cloud("secretsmanager")
        self.s3.create_bucket(Bucket="own")
        self.slept: list[float] = []
        self.tokens = GitHubTokens(self.secrets, "tidegate/github/")
        self.github = GitHub(server.url, clock=self.clock, sleep=self.slept.append)
        self.bundles = GitHubBundles(self.s3, "own", self.github, self.tokens)

    def clock(self) -> float:
        return NOW + sum(self.slept)

    def store(self, text: str, name: str = "me") -> None:
        self.secrets.create_secret(Name=f"tidegate/github/{name}", SecretString=text)

    def copy(self, repository: str = "me/shop", application: str = "shop", commit: str = COMMIT) -> Bundle:
        location = {"revisionType": "GitHub", "gitHubLocation": {"repository": repository, "commitId": commit}}
        return self.bundles.copy(location, "rev-1", application)

    def fault(self, code: str, **given: str) -> str:
        with pytest.raises(RevisionFault) as caught:
            self.copy(**given)
        assert caught.value.code == code
        assert TOKEN not in caught.value.message
        assert ONE_TIME not in caught.value.message
        assert self.kept() == []
        return caught.value.message

    def kept(self) -> list[str]:
        pending = self.s3.list_multipart_uploads(Bucket="own").get("Uploads", [])
        assert pending == []
        return [each["Key"] for each in self.s3.list_objects_v2(Bucket="own").get("Contents", [])]

    def appspec(self, bundle: Bundle) -> str:
        return Bundles(self.s3, "own").appspec(bundle, "github:me/shop")


@pytest.fixture
def world(cloud: Callable[[str], Any], caplog: pytest.LogCaptureFixture) -> Iterator[World]:
    server = GitHubServer()
    server.add("me/shop", {"appspec.yml": APPSPEC, "run.sh": b"#!/bin/sh\n"})
    server.add("me/secret", {"appspec.yml": APPSPEC}, private=True)
    with server.running():
        caplog.set_level(logging.INFO)
        yield World(cloud, server)
    assert TOKEN not in caplog.text
    assert ONE_TIME not in caplog.text


# --- the archive


def test_a_public_repository_needs_no_token(world: World) -> None:
    bundle = world.copy()
    content = world.server.archives["me/shop"]
    assert (bundle.size, bundle.sha256, bundle.type) == (len(content), hashlib.sha256(content).hexdigest(), "tgz")
    assert world.s3.get_object(Bucket="own", Key=bundle.key)["Body"].read() == content
    assert world.appspec(bundle) == APPSPEC.decode()
    assert [(each.host, each.headers.get("authorization")) for each in world.server.asked] == [
        ("api", None),
        ("codeload", None),
    ]
    assert world.server.asked[0].path == f"/repos/me/shop/tarball/{COMMIT}"


def test_the_token_goes_to_the_api_and_nowhere_else(world: World) -> None:
    world.store(TOKEN)
    assert world.appspec(world.copy("me/secret")) == APPSPEC.decode()
    sent = [(each.host, each.headers.get("authorization")) for each in world.server.asked]
    assert sent == [("api", f"Bearer {TOKEN}"), ("codeload", None)]


def test_a_renamed_repository_is_followed_with_the_token(world: World) -> None:
    world.server.moved = {"me/old": "x", "me": "me/secret"}
    world.store(TOKEN)
    world.server.next = [Answer(301, {"Location": f"{world.server.url}/repos/me/secret/tarball/{COMMIT}"})]
    assert world.appspec(world.copy("me/old")) == APPSPEC.decode()
    assert [each.host for each in world.server.asked if "authorization" in each.headers] == ["api", "api"]


def test_a_large_archive_comes_in_parts(world: World) -> None:
    noise = random.Random(7).randbytes(20 << 20)
    world.server.add("me/big", {"noise": noise, "appspec.yml": APPSPEC})
    uploaded: list[int] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        uploaded.append(len(params["body"]))

    world.s3.meta.events.register("before-call.s3.UploadPart", note)
    bundle = world.copy("me/big")
    assert bundle.sha256 == hashlib.sha256(world.server.archives["me/big"]).hexdigest()
    assert world.appspec(bundle) == APPSPEC.decode()
    assert len(uploaded) == 3


def test_the_copy_of_a_commit_is_used_again_without_github(world: World) -> None:
    first = world.copy()
    asked = len(world.server.asked)
    assert world.copy() == first
    assert len(world.server.asked) == asked


def test_another_applications_copy_is_not_taken(world: World) -> None:
    world.store(json.dumps({"token": TOKEN, "applications": ["shop", "team-*"]}))
    assert world.copy("me/secret").key != world.copy("me/secret", application="team-1").key
    with pytest.raises(RevisionFault, match="the token 'me' is not for application 'blog'") as caught:
        world.copy("me/secret", application="blog")
    assert caught.value.code == "REVISION_MISSING"


# --- refusals


def test_what_is_not_found_names_both_causes(world: World) -> None:
    told = world.fault("REVISION_MISSING", repository="me/secret")
    for part in (
        "github:me/secret@",
        "no such repository or commit",
        "private",
        "no token 'me' is stored",
        "add-token me",
    ):
        assert part in told
    world.store(TOKEN)
    told = world.fault("REVISION_MISSING", commit="f" * 40)
    assert "no such repository or commit, or the token 'me' cannot read it" in told
    assert world.slept == []


def test_a_refused_token_is_told_by_name(world: World) -> None:
    world.store("github_pat_expired")
    told = world.fault("MISSING_GITHUB_TOKEN")
    assert "refused the token 'me' (401: Bad credentials)" in told
    assert "github_pat_expired" not in told


@pytest.mark.parametrize(("text", "told"), [("", "holds none"), ('{"tok', "holds none"), ("[]", "refused the token")])
def test_a_secret_that_holds_no_token(world: World, text: str, told: str) -> None:
    world.store(text or " ")
    world.server.next = [Answer(401)]
    assert told in world.fault("MISSING_GITHUB_TOKEN")


def test_a_token_without_the_right_is_told(world: World) -> None:
    world.store(TOKEN)
    saml = json.dumps({"message": f"Resource protected by organization SAML enforcement.\n{'x' * 300}"}).encode()
    world.server.next = [Answer(403, {}, saml), Answer(403, {}, json.dumps({"message": f"no {TOKEN}"}).encode())]
    told = world.fault("MISSING_GITHUB_TOKEN")
    assert "may not read github:me/shop" in told
    assert "403: Resource protected by organization SAML enforcement. " in told
    assert "x" * 200 not in told
    assert "(403)" in world.fault("MISSING_GITHUB_TOKEN")


@pytest.mark.parametrize("commit", ["main", "f" * 39, f"{'f' * 40}/.."])
@pytest.mark.parametrize("repository", ["me/shop"])
def test_only_a_commit_of_a_repository_is_asked_for(world: World, repository: str, commit: str) -> None:
    world.fault("INVALID_REVISION", repository=repository, commit=commit)
    assert world.server.asked == []


@pytest.mark.parametrize("repository", ["../..", "me/..", "./shop", "me", "me/shop/x", "me/sh op", "me/shop?x"])
def test_a_repository_has_an_owner_and_a_name(world: World, repository: str) -> None:
    world.fault("INVALID_REVISION", repository=repository)
    assert world.server.asked == []


# --- limits and failures


LIMITED = json.dumps({"message": "API rate limit exceeded for 203.0.113.1."}).encode()


@pytest.mark.parametrize(
    ("answer", "waited"),
    [
        (Answer(429, {"Retry-After": "7"}, LIMITED), 7),
        (Answer(403, {"Retry-After": "30"}, b'{"message": "You have exceeded a secondary rate limit."}'), 30),
        (Answer(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(NOW + 100)}, LIMITED), 100),
        (Answer(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(NOW - 100)}, LIMITED), 1),
        (Answer(429, {"Retry-After": "soon"}), 2),
        (Answer(403, {}, LIMITED), 2),
    ],
)
def test_a_limit_that_is_lifted_soon_is_waited_for(world: World, answer: Answer, waited: float) -> None:
    world.server.next = [answer]
    assert world.appspec(world.copy()) == APPSPEC.decode()
    assert world.slept == [waited]


def test_a_limit_that_lasts_is_not_waited_for(world: World) -> None:
    reset = str(NOW + 3000)
    world.server.next = [Answer(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}, LIMITED)]
    told = world.fault("THROTTLED")
    for part in ("rate limit is used up", "asked again in 3000 seconds", "Without a token GitHub allows few requests"):
        assert part in told
    assert world.slept == []
    world.store(TOKEN)
    world.server.next = [Answer(429, {"Retry-After": "60"})] * 9
    assert "Without a token" not in world.fault("THROTTLED")
    assert sum(world.slept) <= gateway.PATIENCE


def test_faults_of_githubs_pass(world: World) -> None:
    world.server.next = [Answer(502, {}, b"<html>bad gateway</html>"), Answer(500)]
    world.server.next_archive = [Answer(503), Answer(500)]
    assert world.appspec(world.copy()) == APPSPEC.decode()
    assert world.slept == [2, 4, 8, 16]


def test_faults_that_do_not_pass_are_told(world: World) -> None:
    world.server.next = [Answer(500)] * 9
    with pytest.raises(UnavailableError, match=r"github:me/shop@.* cannot be fetched: GitHub answered 500"):
        world.copy()
    assert len(world.slept) == 4


def test_nobody_there_is_told(world: World) -> None:
    world.bundles = GitHubBundles(
        world.s3, "own", GitHub("http://127.0.0.1:9", clock=world.clock, sleep=world.slept.append), world.tokens
    )
    with pytest.raises(UnavailableError, match=r"127.0.0.1 cannot be reached"):
        world.copy()


def test_an_archive_that_is_gone_is_not_blamed_on_the_user(world: World) -> None:
    world.store(TOKEN)
    world.server.next_archive = [Answer(404, {}, b"404: Not Found")]
    assert "is not to be had (404), though GitHub knows it" in world.fault("REVISION_MISSING", repository="me/secret")


# --- broken and hostile archives


@pytest.mark.parametrize("send", [half, half_of_what_was_promised], ids=["in silence", "under the whole length"])
def test_an_archive_that_breaks_off_is_fetched_again(world: World, send: Any) -> None:
    world.server.send = [send]
    assert world.appspec(world.copy()) == APPSPEC.decode()
    assert world.slept == [2]
    world.server.send = [send] * 9
    with pytest.raises(UnavailableError, match=r"cannot be fetched: the archive (broke off|ended early)"):
        world.copy(application="other")
    assert len(world.kept()) == 1


def test_a_large_archive_that_breaks_off_leaves_no_parts(world: World) -> None:
    world.server.add("me/big", {"noise": random.Random(7).randbytes(24 << 20), "appspec.yml": APPSPEC})
    world.server.send = [half] * 9
    with pytest.raises(UnavailableError, match="ended early"):
        world.copy("me/big")
    assert world.kept() == []


def test_an_archive_may_come_slowly(world: World) -> None:
    world.server.send = [bit_by_bit]
    assert world.appspec(world.copy()) == APPSPEC.decode()


def test_an_archive_that_never_ends_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "WHOLE", -1.0)
    assert "took longer than" in world.fault("TIMEOUT")


def test_an_archive_beyond_measure_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "MOST_BYTES", 10)
    assert "is larger than" in world.fault("INVALID_REVISION")


def test_what_is_no_archive_is_refused(world: World) -> None:
    world.server.archives["me/shop"] = b"<html>Sign in to the proxy</html>"
    assert "is not compressed with gzip" in world.fault("INVALID_REVISION")


def test_a_bomb_is_refused_before_it_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(github_bundles, "_MOST_TAR", 50 << 20)
    world.server.archives["me/shop"] = gzip.compress(bytes(64 << 20))
    assert "unpacks to more than" in world.fault("INVALID_REVISION")


def test_what_compresses_very_well_is_no_bomb(world: World) -> None:
    world.server.add("me/zeros", {"zeros": bytes(30 << 20), "appspec.yml": APPSPEC})
    assert world.appspec(world.copy("me/zeros")) == APPSPEC.decode()


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_beyond_measure_is_refused_without_reading_it(world: World, kind: bytes) -> None:
    info = tarfile.TarInfo("pax")
    info.type, info.size = kind, 10 << 30
    world.server.archives["me/shop"] = gzip.compress(info.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(RevisionFault, match="header is larger than 1 MiB") as caught:
        world.appspec(world.copy())
    assert caught.value.code == "INVALID_REVISION"


def test_a_repository_without_appspec_is_told(world: World) -> None:
    world.server.add("me/none", {"readme": b""})
    with pytest.raises(RevisionFault, match="holds no AppSpec file"):
        world.appspec(world.copy("me/none"))


# --- where it may lead


@pytest.mark.parametrize(
    "url", ["http://api.github.com", "ftp://api.github.com", "api.github.com", "http://127.0.0.1.evil"]
)
def test_the_api_is_encrypted_or_on_this_machine(url: str) -> None:
    with pytest.raises(UnavailableError, match="must be an https URL"):
        GitHub(url)


@pytest.mark.parametrize("location", ["http://example.com/x", "file:///etc/passwd", ""])
def test_a_redirection_may_not_leave_encryption(world: World, location: str) -> None:
    world.server.next = [Answer(302, {"Location": location})]
    with pytest.raises(UnavailableError, match="not encrypted, or to none"):
        world.copy()


def test_an_encrypted_api_may_not_lead_to_this_machine_in_the_clear() -> None:
    github = GitHub("https://api.github.com")
    with pytest.raises(UnavailableError, match="not encrypted"):
        github._next("https://api.github.com/x", "http://127.0.0.1/latest/meta-data")


def test_redirections_end(world: World) -> None:
    world.server.next = [Answer(302, {"Location": "/again"})] * 9
    with pytest.raises(UnavailableError, match="redirected more than 5 times"):
        world.copy()


# --- tokens


def test_tokens_by_name_without_case(world: World) -> None:
    world.store(TOKEN)
    world.server.private.add("Me/Secret")
    world.server.archives["Me/Secret"] = world.server.archives["me/secret"]
    assert world.appspec(world.copy("Me/Secret")) == APPSPEC.decode()


def test_tokens_are_listed_and_deleted(world: World) -> None:
    world.store(TOKEN)
    world.store(TOKEN, "zoe")
    world.secrets.create_secret(Name="another/tidegate/github/me", SecretString="x")
    world.secrets.create_secret(Name="other", SecretString="x")
    assert world.tokens.names() == ["me", "zoe"]
    assert world.tokens.delete("ME") is True
    assert world.tokens.delete("me") is False
    assert world.tokens.names() == ["zoe"]
    assert world.tokens.token_for("me/shop", "shop").why_none == "no token 'me' is stored"
    world.secrets.delete_secret(SecretId="tidegate/github/zoe", RecoveryWindowInDays=7)
    assert world.tokens.names() == []
    assert world.tokens.delete("zoe") is False
    assert world.tokens.token_for("zoe/shop", "shop").value == ""


def test_a_token_is_not_shown_by_accident(world: World) -> None:
    world.store(TOKEN)
    token = world.tokens.token_for("me/shop", "shop")
    assert token.value == TOKEN
    assert TOKEN not in repr(token)
