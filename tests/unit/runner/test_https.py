"""Everything a host fetches and tells over TLS, as on AWS, with a certificate that it trusts or does not."""

import datetime
import ipaddress
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.unit.runner.conftest import Host, Server, hook

FILES = {"page.txt": "hello", "after.sh": "#!/bin/sh\necho ready\n"}
APPSPEC = {"files": [{"source": "/page.txt", "destination": "/srv"}], "hooks": {"AfterInstall": hook("after.sh")}}


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "certificate.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    return certificate(tmp_path)


@pytest.fixture
def tls_host(tmp_path: Path, trusted: Path) -> Iterator[Host]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted)
    server = Server(context)
    root = tmp_path / "root"
    root.mkdir()
    yield Host(root, server)
    server.close()


@pytest.mark.parametrize("proxied", [False, True], ids=["at once", "by urllib, as where a proxy is named"])
def test_order_runner_bundle_and_progress_over_tls(tls_host: Host, trusted: Path, proxied: bool) -> None:
    tls_host.more_variables["SSL_CERT_FILE"] = str(trusted)
    if proxied:
        tls_host.more_variables.update({"https_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1"})

    result = tls_host.deploy("d-TLS000001", FILES, APPSPEC)

    assert result["status"] == "Succeeded", result
    assert tls_host.read("/srv/page.txt") == "hello"
    assert any(key.endswith("i-0123.json") for key in tls_host.server.uploaded())


def test_a_server_that_the_host_does_not_trust_is_not_believed(tls_host: Host, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    tls_host.more_variables["SSL_CERT_FILE"] = str(certificate(tmp_path / "other"))

    result = tls_host.deploy("d-TLS000002", FILES, APPSPEC)

    assert (result["status"], result["diagnostics"]["errorCode"]) == ("NotStarted", "OrderUnreadable")
    assert not tls_host.path("/srv").exists()
