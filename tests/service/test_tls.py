"""TLS at the service: a certificate that is renewed is shown to the next who connects, and a broken one to nobody."""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path

import httpx
import pytest
import trustme
from structlog.testing import capture_logs

from adjudge.client import Engine as Client
from adjudge.config.service import ServiceSettings, Tls
from adjudge.errors import ServiceUnavailable, SetupError
from adjudge.service.access import certificate as certificate_module
from adjudge.service.access.certificate import Certificate
from adjudge.service.access.key_file import change_keys
from adjudge.service.access.keys import new_key
from client.serving import served
from engine.engines import engine, request


class Authority:
    """Gives certificates, in two files."""

    def __init__(self, folder: Path) -> None:
        self.given = trustme.CA()
        self.tls = Tls(folder / "service.pem", folder / "service.key")
        self.file = folder / "ca.pem"
        self.given.cert_pem.write_to_path(str(self.file))
        self.renew()

    def renew(self, *, key: bool = True) -> None:
        new = self.given.issue_cert("localhost", "127.0.0.1")
        _replace(self.tls.certificate, b"".join(blob.bytes() for blob in new.cert_chain_pems))
        if key:
            _replace(self.tls.key, new.private_key_pem.bytes())


def _replace(path: Path, data: bytes) -> None:
    path.with_suffix(".new").write_bytes(data)
    path.with_suffix(".new").replace(path)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def shown(url: str, authority: Authority, *, name: str | None = "localhost") -> bytes:
    """Return the certificate that a new connection is shown."""
    context = ssl.create_default_context(cafile=authority.file)
    context.check_hostname = name is not None
    place = httpx.URL(url)
    with (
        socket.create_connection((place.host, place.port or 0)) as raw,
        context.wrap_socket(raw, server_hostname=name) as connection,
    ):
        return connection.getpeercert(binary_form=True) or b""


def test_client_asks_over_tls_and_trusts_whom_it_is_told_to(authority: Authority, tmp_path: Path) -> None:
    key, text = new_key("flow", ["decide"])
    change_keys(tmp_path / "keys.yaml", lambda _: {key.id: key})
    settings = ServiceSettings(keys=tmp_path / "keys.yaml", tls=authority.tls)
    with served(engine(), settings=settings, over_tcp=True) as url:
        assert url.startswith("https://127.0.0.1:")
        with Client(url, key=text, authorities=authority.file) as client:
            assert client.decide_sync(request()).status == "fresh"
        with Client(url, key=text) as client, pytest.raises(ServiceUnavailable):
            client.decide_sync(request())
        with Client(url.replace("https", "http"), key=text) as client, pytest.raises(ServiceUnavailable):
            client.decide_sync(request())
        old = ssl.create_default_context(cafile=authority.file)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with (
            socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0)) as raw,
            old.wrap_socket(raw, server_hostname="localhost") as connection,
        ):
            assert connection.version() == "TLSv1.2"


def test_renewed_certificate_is_shown_without_a_restart(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate_module, "LOOK_S", 0.0)
    with capture_logs() as events, served(engine(), settings=ServiceSettings(tls=authority.tls), over_tcp=True) as url:
        first = shown(url, authority)
        assert shown(url, authority, name=None) == first
        authority.renew(key=False)
        assert shown(url, authority) == first, "a certificate without its key is not shown"
        authority.renew()
        second = shown(url, authority)
        assert second != first and shown(url, authority, name=None) == second
        authority.tls.key.unlink()
        assert shown(url, authority) == second
    assert [event["event"] for event in events] == ["file_unusable", "file_read", "file_unusable"]
    assert "PRIVATE" not in str(events)


def test_files_are_looked_at_once_a_second_at_most(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    now, looks = [0.0], list[float]()
    certificate = Certificate(authority.tls, clock=lambda: now[0])
    monkeypatch.setattr(certificate, "_look", lambda: looks.append(now[0]))

    class Connection:
        context: object = None

    for now[0] in (0.5, 1.0, 1.5, 2.0):
        certificate._show(Connection(), None, certificate.context)  # type: ignore[arg-type]
    assert looks == [1.0, 2.0]


def encrypted(authority: Authority) -> None:
    from cryptography.hazmat.primitives import serialization as form

    key = form.load_pem_private_key(authority.tls.key.read_bytes(), None)
    authority.tls.key.write_bytes(
        key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"CANARY"))
    )


@pytest.mark.parametrize(
    ("breaking", "said"),
    [
        (lambda authority: authority.tls.key.unlink(), "no such file"),
        (lambda authority: authority.tls.certificate.write_text("x"), "one is no PEM file"),
        (lambda authority: authority.renew(key=False), "of another certificate"),
        (encrypted, "the key is encrypted"),
        (lambda authority: os.truncate(authority.tls.key, 60), "cannot use"),
    ],
)
def test_service_does_not_begin_without_a_certificate(authority: Authority, breaking: object, said: str) -> None:
    breaking(authority)  # type: ignore[operator]
    with pytest.raises(SetupError, match=said) as raised:
        Certificate(authority.tls)
    assert "PRIVATE" not in str(raised.value)
