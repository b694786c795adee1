"""Policies that come in bundles: fetched, trusted, never taken back, and only from where they may come."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
from bundle_server import Place, bundle_server
from structlog.testing import capture_logs

from adjudge.audit.activation import ActivationBody
from adjudge.audit.kinds import bodies
from adjudge.audit.signing import Signer, generate
from adjudge.config import watching
from adjudge.config.bundles import archive
from adjudge.config.bundles.bundle import make_bundle
from adjudge.config.bundles.manifest import manifest_of
from adjudge.config.file import assemble, open_engine, read_config, require_sound
from adjudge.engine import Engine
from adjudge.errors import AdjudgeError, BundleRefused, BundleUnavailable, PolicyErrors

POLICY = """\
policy_language: 1
policy: one
inputs: {n: int, country: string}
lists: {bad: {file: lists/bad.txt}}
rules: [{id: much, when: n > LIMIT, then: reject}, {id: listed, when: country in lists.bad, then: review}]
"""
AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


def bundle(
    signer: Signer | None,
    counter: int,
    *,
    limit: int = 5,
    name: str = "risk",
    text: str = POLICY,
    fresh_until: datetime | None = None,
) -> bytes:
    files = {"lists/bad.txt": b"KP\n", "one.yaml": text.replace("LIMIT", str(limit)).encode()}
    manifest = manifest_of(name, counter, AT, files, fresh_until=fresh_until)
    return make_bundle(manifest, files, (signer,) if signer is not None else ())


@pytest.fixture
def place() -> Iterator[Place]:
    with bundle_server() as found:
        yield found


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return generate(tmp_path / "risk")


def config(folder: Path, at: str, *, allowed: str = "[127.0.0.1]", more: str = "") -> Path:
    path = folder / "adjudge.yaml"
    path.write_text(
        f'policies: [{{bundle: risk, from: "{at}", keys: [risk.pub], every: 1ms{more}}}]\n'
        f"audit: {{directory: log}}\nallow: {{hosts: {allowed}}}"
    )
    return path


def run(path: Path, work: Callable[[Engine, Callable[[], Awaitable[None]]], Awaitable[None]]) -> list[ActivationBody]:
    """Do something with an open engine; its `look` looks twice. Return what the log has of its policies."""

    async def go() -> None:
        engine = assemble(read_config(path))
        watch: Any = engine._watch

        async def look() -> None:
            for _ in range(2):
                await asyncio.sleep(0.002)  # its time has come
                await watch.look(engine)

        async with engine:
            await work(engine, look)

    asyncio.run(go())
    return [body for _, body in bodies(path.parent / "log", ActivationBody)]


def limit_of(engine: Engine) -> int:
    policy = engine.policies["one"]
    return next(n for n in range(100) if policy.evaluate({"n": n, "country": "SG"}).outcome == "reject") - 1


def test_bundle_is_fetched_again_only_once_it_has_changed(tmp_path: Path, place: Place, signer: Signer) -> None:
    place.content, place.etag = bundle(signer, 1), '"one"'

    async def work(engine: Engine, look: Callable[[], Awaitable[None]]) -> None:
        assert limit_of(engine) == 5
        assert engine.policies["one"].evaluate({"n": 0, "country": "KP"}).outcome == "review"
        assert engine.policies["one"].typed.source.name == "risk/one.yaml"
        await look()
        place.content, place.etag = bundle(signer, 2, limit=3), '"two"'
        await look()
        assert limit_of(engine) == 3

    start, changed = run(config(tmp_path, place.url), work)
    assert [body.bundles["risk"].counter for body in (start, changed)] == [1, 2]
    assert (start.reason, changed.reason, changed.bundles["risk"].key) == ("start", "changed", signer.key_id)
    assert set(place.statuses) == {200, 304} and place.statuses.count(200) == 2
    assert {"if-none-match", "host"} <= place.asked[-1].keys() and "authorization" not in place.asked[-1]


def test_bundle_that_is_older_is_refused_by_the_next_process_too(tmp_path: Path, place: Place, signer: Signer) -> None:
    place.content = bundle(signer, 7)
    path = config(tmp_path, place.url)

    async def work(engine: Engine, look: Callable[[], Awaitable[None]]) -> None:
        place.content = bundle(signer, 6, limit=99)
        await look()
        assert limit_of(engine) == 5 and engine.activation is not None and not engine.activation.accepted
        place.content = bundle(signer, 7, limit=99)  # another one of the same number
        await look()
        assert limit_of(engine) == 5

    _, older, other = run(path, work)
    assert "is number 6, and 7 was accepted before" in older.messages[0] and older.bundles["risk"].counter == 7
    assert "is another number 7 than was accepted before" in other.messages[0]
    for counter in (6, 7):
        place.content = bundle(signer, counter, limit=99)
        with pytest.raises(BundleRefused):
            run(path, work)
    place.content = bundle(signer, 8, limit=9)

    async def newer(engine: Engine, look: Callable[[], Awaitable[None]]) -> None:
        assert limit_of(engine) == 9

    log = run(path, newer)
    assert [body.accepted for body in log][-3:] == [False, False, True] and log[-1].bundles["risk"].counter == 8


@pytest.mark.parametrize("wrong", ["unsigned", "foreign", "name", "cut", "policy", "none", "large", "key"])
def test_bundle_that_is_not_as_it_should_be_leaves_the_last_good_one(
    tmp_path: Path, place: Place, signer: Signer, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.content = bundle(signer, 1)
    other = generate(tmp_path / "other")
    broken = POLICY.replace("country in lists.bad", "contry in lists.bad")
    content, why = {
        "unsigned": (bundle(None, 2), "it is not signed"),
        "foreign": (bundle(other, 2), "none of these keys is trusted"),
        "name": (bundle(signer, 2, name="other"), "it is the bundle `other`"),
        "cut": (bundle(signer, 2)[:-20], "ends too early"),
        "policy": (bundle(signer, 2, text=broken), "risk/one.yaml:5:"),
        "none": (bundle(signer, 2, text="a: 1"), "it holds no policy"),
        "large": (bytes(5000), "it is larger than"),
        "key": (bundle(signer, 2), "no Ed25519 public key"),
    }[wrong]

    async def work(engine: Engine, look: Callable[[], Awaitable[None]]) -> None:
        place.content = content
        if wrong == "large":
            monkeypatch.setattr("adjudge.config.bundles.source.ARCHIVE_MAX_BYTES", 4000)
        if wrong == "key":
            (tmp_path / "risk.pub").write_text("nothing")
        await look()
        await look()
        assert limit_of(engine) == 5

    (_, refused) = run(config(tmp_path, place.url), work)
    assert not refused.accepted and why in refused.messages[0] and refused.bundles["risk"].counter == 1


@pytest.mark.parametrize("how", ["down", "error", "redirect", "cut", "gzip"])
def test_place_that_does_not_answer_is_an_event_and_nothing_else(
    tmp_path: Path, place: Place, signer: Signer, how: str
) -> None:
    place.content = bundle(signer, 1)

    async def work(engine: Engine, look: Callable[[], Awaitable[None]]) -> None:
        place.content = bundle(signer, 2, limit=3)
        if how == "error":
            place.answer = (503, {})
        elif how == "redirect":
            place.answer = (302, {"location": "http://169.254.169.254/latest"})
        elif how == "gzip":
            place.answer = (200, {"content-encoding": "gzip"})
        elif how == "cut":
            place.cut = 10
        else:
            watch: Any = engine._watch
            watch._loader.bundles[0].settings = read_config(
                config(tmp_path, "http://127.0.0.1:1/risk.tar.gz?sig=SECRET")
            ).policies[0]
        with capture_logs() as events:
            await look()
        assert {event["event"] for event in events} == {"bundle_not_fetched"} and "SECRET" not in str(events)
        assert engine.policies_note() == "bundles that cannot be fetched: risk"
        assert limit_of(engine) == 5

    assert [body.reason for body in run(config(tmp_path, place.url), work)] == ["start"]
    assert len(place.asked) >= 1


def test_answer_that_never_ends_is_given_up(tmp_path: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its head comes byte by byte, each of them in time."""
    monkeypatch.setattr("adjudge.config.bundles.source.FETCHED_WITHIN_S", 0.3)
    gone = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nx: ")
                while not gone.wait(0.01):
                    connection.sendall(b"y")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        try:
            with pytest.raises(BundleUnavailable, match="bundle `risk` from"):
                open_engine(config(tmp_path, f"http://127.0.0.1:{server.getsockname()[1]}/b"))
        finally:
            gone.set()
            thread.join(60)


def test_engine_does_not_begin_without_its_bundle(tmp_path: Path, place: Place, signer: Signer) -> None:
    place.answer = (404, {})
    with pytest.raises(BundleUnavailable, match="it answered 404"):
        open_engine(config(tmp_path, place.url))
    place.answer, place.content = None, bundle(None, 1)
    with pytest.raises(BundleRefused, match="it is not signed"):
        open_engine(config(tmp_path, place.url))


def test_bundle_that_is_no_longer_fresh_goes_on_and_is_told(tmp_path: Path, place: Place, signer: Signer) -> None:
    until = datetime.now(UTC) + timedelta(days=1)
    place.content = bundle(signer, 1, fresh_until=until)
    now = [until - timedelta(seconds=1)]

    async def work(engine: Engine, look: Callable[[], Awaitable[None]]) -> None:
        engine._clock = lambda: now[0]
        assert (engine.policies_note(), engine.fresh_until()) == (None, {"risk": until})
        now[0] = until
        said = "bundles that are no longer fresh, and go on answering: risk"
        assert (engine.policies_note(), limit_of(engine)) == (said, 5)
        place.content = bundle(None, 2)
        await look()
        assert "were refused" in str(engine.policies_note()) and said in str(engine.policies_note())
        place.content = bundle(signer, 2, limit=3)
        await look()
        assert (engine.policies_note(), engine.fresh_until(), limit_of(engine)) == (None, {}, 3)

    first, *_, last = run(config(tmp_path, place.url), work)
    assert (first.bundles["risk"].fresh_until, last.bundles["risk"].fresh_until) == (until, None)


def test_host_with_an_authority_of_its_own_is_asked_with_a_token(tmp_path: Path, signer: Signer) -> None:
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (tmp_path / "token").write_text("canary-token.1==\n")
    with bundle_server(tls) as place, capture_logs() as events:
        place.content = bundle(signer, 1)
        with pytest.raises(BundleUnavailable, match="no connection"):
            open_engine(config(tmp_path, place.url, more=", token: token"))
        assert place.asked == [], "nobody is given the token who is not trusted"

        async def work(engine: Engine, look: Callable[[], Awaitable[None]]) -> None:
            for wrong in ("two\nlines", "a b", "", "é", "x" * 9000):
                (tmp_path / "token").write_text(wrong)
                await look()
                assert engine.policies_note() == "bundles that cannot be fetched: risk"
            (tmp_path / "token").write_text("second")
            await look()
            assert engine.policies_note() is None

        run(config(tmp_path, place.url, more=", ca: ca.pem, token: token"), work)
        assert {asked["authorization"] for asked in place.asked} == {"Bearer canary-token.1==", "Bearer second"}
        place.answer = (302, {"location": "https://127.0.0.1:1/"})
        with pytest.raises(BundleUnavailable, match="redirects are not followed"):
            open_engine(config(tmp_path, place.url, more=", ca: ca.pem, token: token"))
        (tmp_path / "ca.pem").write_text("none")
        with pytest.raises(BundleUnavailable, match="holds no certificate"):
            open_engine(config(tmp_path, place.url, more=", ca: ca.pem"))
    assert "canary-token" not in str(events)
    for file in (tmp_path / "log").rglob("*"):
        assert not file.is_file() or b"canary-token" not in file.read_bytes()


def test_token_goes_nowhere_in_the_clear(tmp_path: Path, place: Place, signer: Signer) -> None:
    with pytest.raises(PolicyErrors) as raised:
        read_config(config(tmp_path, place.url, more=", token: token"))
    assert "`token` is for a place of https://" in str(raised.value.errors[0]) and place.asked == []


def test_full_disk_is_a_refusal_and_the_last_good_bundle_answers(
    tmp_path: Path, place: Place, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.content = bundle(signer, 1)
    write = Path.write_bytes

    async def work(engine: Engine, look: Callable[[], Awaitable[None]]) -> None:
        def full(path: Path, data: bytes) -> int:
            if "adjudge-bundle-" in str(path):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            return write(path, data)

        place.content = bundle(signer, 2, limit=3)
        with monkeypatch.context() as disk:
            disk.setattr(Path, "write_bytes", full)
            await look()
        assert limit_of(engine) == 5 and "no space left" in str(engine.activation)
        with monkeypatch.context() as later:
            later.setattr(watching, "AGAIN_S", 0.0)
            await look()
        assert limit_of(engine) == 3

    start, refused, taken = run(config(tmp_path, place.url), work)
    assert (start.accepted, refused.accepted, taken.accepted) == (True, False, True)
    assert "no space left" in refused.messages[0] and "adjudge-bundle-" not in refused.messages[0]


@pytest.mark.parametrize(
    ("at", "allowed", "why"),
    [
        ("http://127.0.0.1:PORT/b", "[risk.internal]", "http:// is for hosts that"),
        ("https://127.0.0.1:PORT/b", "[risk.internal]", "which is not public"),
        ("https://localhost:PORT/b", "[]", "which is not public"),
        ("https://[::1]:PORT/b", "[]", "which is not public"),
        ("https://2130706433:PORT/b", "[]", "which is not public"),
        ("https://169.254.169.254/b", "[]", "hands out"),
        ("s3://bucket/b?endpoint_override=127.0.0.1:PORT&scheme=http", "[]", "which is not public"),
        ("s3://bucket/b?endpoint_override=http%3A%2F%2F169.254.169.254", "[]", "hands out"),
    ],
)
def test_place_that_nobody_allowed_is_not_asked(
    tmp_path: Path, place: Place, signer: Signer, at: str, allowed: str, why: str
) -> None:
    place.content = bundle(signer, 1)
    with pytest.raises(BundleRefused, match=why):
        open_engine(config(tmp_path, at.replace("PORT", str(place.port)), allowed=allowed))
    assert place.asked == []


def test_name_that_leads_to_keys_is_not_asked_even_if_it_is_allowed(
    tmp_path: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [(2, 1, 6, "", ("169.254.169.254", 443))]
    monkeypatch.setattr("adjudge.system.outgoing.socket.getaddrinfo", lambda *_, **__: found)
    with pytest.raises(BundleRefused, match="hands out"):
        open_engine(config(tmp_path, "https://risk.internal/b", allowed="[risk.internal]"))


def test_file_is_a_place_of_a_bundle(tmp_path: Path, signer: Signer) -> None:
    file = tmp_path / "risk.tar.gz"
    file.write_bytes(bundle(signer, 1))

    async def work(engine: Engine, look: Callable[[], Awaitable[None]]) -> None:
        await look()
        file.write_bytes(bundle(signer, 2, limit=3))
        await look()
        assert limit_of(engine) == 3
        file.unlink()
        await look()
        assert limit_of(engine) == 3

    *_, refused = run(config(tmp_path, "risk.tar.gz"), work)
    assert "no such file" in refused.messages[0]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{bundle: risk, from: a}", "schema-missing"),
        ("{bundle: Risk!, from: a, keys: [k]}", "schema-value"),
        ("{bundle: risk, from: a, keys: []}", "schema-empty"),
        ("{bundle: risk, from: 'ftp://a/b', keys: [k]}", "schema-value"),
        ("{bundle: risk, from: 'https://u:p@a/b', keys: [k]}", "schema-value"),
        ("{bundle: risk, from: 'https://', keys: [k]}", "schema-value"),
        ("{bundle: risk, from: 'https://[a/b', keys: [k]}", "schema-value"),
        ("{bundle: risk, from: a, keys: [k], every: 0s}", "schema-range"),
        ("{bundle: risk, from: a, keys: [k], evry: 1s}", "schema-unknown-key"),
        ("{bundle: risk, from: a, keys: [k]}, {bundle: risk, from: b, keys: [k]}", "name-duplicate"),
    ],
)
def test_slip_in_a_bundle_is_told_at_its_place(tmp_path: Path, text: str, code: str) -> None:
    path = tmp_path / "adjudge.yaml"
    path.write_text(f"policies: [{text}]")
    with pytest.raises(PolicyErrors) as wrong:
        read_config(path)
    assert [error.code for error in wrong.value.errors] == [code] and "u:p" not in wrong.value.errors[0].message


def test_check_asks_nobody(tmp_path: Path, place: Place) -> None:
    require_sound(read_config(config(tmp_path, place.url)))
    assert place.asked == []


def test_bundle_in_object_storage_is_read_once_it_has_changed(
    tmp_path: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The storage is pyarrow's own of folders; what it is asked is the same."""
    pytest.importorskip("pyarrow")
    from pyarrow import fs

    from adjudge.audit import shelf

    (tmp_path / "risk.tar.gz").write_bytes(bundle(signer, 1))
    storage = SimpleNamespace(from_uri=lambda uri: (fs.LocalFileSystem(), str(tmp_path)))
    monkeypatch.setattr(fs, "FileSystem", storage)
    read: list[str] = []
    blocks = shelf.Store.blocks
    monkeypatch.setattr(shelf.Store, "blocks", lambda self, name: (read.append(name), blocks(self, name))[1])

    async def work(engine: Engine, look: Callable[[], Awaitable[None]]) -> None:
        await look()
        (tmp_path / "risk.tar.gz").write_bytes(bundle(signer, 2, limit=3))
        await look()
        assert limit_of(engine) == 3
        (tmp_path / "risk.tar.gz").unlink()
        await look()
        assert limit_of(engine) == 3

    assert [body.accepted for body in run(config(tmp_path, "s3://bucket/risk.tar.gz"), work)] == [True, True]
    assert read == ["risk.tar.gz"] * 2


def test_archive_is_bounded_wherever_it_comes_from(tmp_path: Path, place: Place, signer: Signer) -> None:
    place.content = bytes(archive.ARCHIVE_MAX_BYTES + 1)
    with pytest.raises(AdjudgeError, match="it is larger than 24 MiB"):
        open_engine(config(tmp_path, place.url))
