"""Segments moved to object storage, a server on loopback that speaks S3."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from adjudge.audit import archive as archive_module
from adjudge.audit.archive import archive
from adjudge.audit.checkpoints import Checkpoints
from adjudge.audit.cursor import FileRecords
from adjudge.audit.file import Segments
from adjudge.audit.log import AuditLog
from adjudge.audit.shelf import Store, fetch, shelf_of
from adjudge.audit.signing import Signer, generate
from adjudge.audit.trail import AuditTrail
from adjudge.audit.verify import WithArchive, segments, verify
from adjudge.cli.group import adjudge
from adjudge.engine import Engine
from adjudge.errors import AuditUnavailable, MissingExtra
from adjudge.model import Request
from adjudge.plugin import BEFORE_FIRST, Position
from adjudge.registry import parse_policy
from adjudge.replay.decisions import replay
from adjudge.testing import registry_of

moto = pytest.importorskip("moto.server", reason="object storage is played by moto, which is not installed")

POLICY = """
policy_language: 1
policy: shop
inputs: {country: string}
rules: [{id: bad-country, when: 'country == "KP"', then: reject}]
"""
TOMORROW = datetime.now(UTC).date() + timedelta(days=2)


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    """Where a server that speaks S3 listens, for URLs."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "tester",
            "AWS_SECRET_ACCESS_KEY": "of-loopback",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            patch.setenv(name, value)
        server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        _, port = server.get_host_and_port()
        yield f"scheme=http&endpoint_override=127.0.0.1:{port}&allow_bucket_creation=true"
        server.stop()


@pytest.fixture
def shelf(storage: str, request: pytest.FixtureRequest) -> str:
    """A URL in a bucket of its own."""
    bucket = f"b{abs(hash(request.node.name)):x}"
    url = f"s3://{bucket}/logs?{storage}"
    Store(url)._storage.create_dir(bucket)
    return url


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    signer = generate(root / "audit.key")
    policy = parse_policy(POLICY, registry=registry_of([]))
    trail = AuditTrail.open(
        root / "log", segments=Segments(max_bytes=4000), checkpoints=Checkpoints(every=5, signer=signer)
    )
    with Engine([policy], registry=registry_of([]), trail=trail) as engine:
        for number in range(12):
            inputs = {"country": "KP" if number % 3 else "SG"}
            engine.decide_sync(Request(merchant_biz_id=f"{number:032}", scene_code="shop", inputs=inputs))
    assert len(segments(root / "log")) >= 4
    return root


@pytest.fixture
def log(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "made")) / "log"


def opened(log: Path) -> AuditLog:
    from adjudge.audit.signing import signer_from_file

    signer: Signer = signer_from_file(log.parent / "audit.key")
    return AuditLog.open(log, segments=Segments(max_bytes=4000), checkpoints=Checkpoints(every=5, signer=signer))


def move(log: Path, to: str) -> int:
    with opened(log) as writer:
        return archive(writer, to, before=TOMORROW, by="kim")


def run(words: list[str]) -> Result:
    return CliRunner().invoke(adjudge, words, prog_name="adjudge")


def test_segments_in_storage_verify_and_replay_with_the_rest_and_are_restored_byte_by_byte(
    log: Path, shelf: str, tmp_path: Path
) -> None:
    whole = {file.name: file.read_bytes() for file in segments(log)[:-1]}
    assert move(log, shelf) == len(whole) >= 3
    assert verify(log).is_good and len(segments(log)) <= 2
    assert {b"".join(Store(shelf).blocks(name)) for name in whole} == {*whole.values()}
    (tmp_path / "back").mkdir()
    assert fetch(shelf, log, tmp_path / "back") == sum(map(len, whole.values()))
    both = WithArchive(log, (tmp_path / "back",))
    assert verify(both).is_good and verify(both).away == ()
    assert Counter(one.answer for one in replay(both)) == {"identical": 12}
    assert f'"to":"{shelf}"'.encode() in b"".join(file.read_bytes() for file in segments(log))


def test_commands_take_a_url_and_leave_nothing_behind(log: Path, shelf: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(log.parent))
    monkeypatch.setattr("tempfile.tempdir", None)
    key = log.parent / "audit.key"
    moved = run(
        ["audit", "archive", str(log), "--to", shelf, "--before", "2100-01-01", "--by", "kim", "--key", str(key)]
    )
    assert moved.exit_code == 0 and f"segments moved to {shelf}" in moved.stdout
    pub = ["--key", f"{key}.pub"]
    assert "earlier ones are vouched for" in run(["audit", "verify", str(log), *pub]).stdout
    found = run(["audit", "verify", str(log), "--archive", shelf, *pub])
    assert found.exit_code == 0 and "earlier ones" not in found.stdout
    assert "bytes fetched to a temporary folder" in found.stderr
    assert "12 of 12 decisions identical" in run(["replay", str(log), "--archive", shelf]).stdout
    assert not [*log.parent.glob("adjudge-archive-*")]


@pytest.mark.parametrize("at", [1, 3])
def test_a_move_that_is_stopped_leaves_every_segment_whole_somewhere(
    log: Path, shelf: str, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = {file.name: file.read_bytes() for file in segments(log)[:-1]}
    count = iter(range(1, 1000))

    def stopping(*given: Any, real: Any = archive_module._read) -> Any:
        if next(count) == at:
            raise KeyboardInterrupt
        return real(*given)

    with monkeypatch.context() as patch:
        patch.setattr(archive_module, "_read", stopping)
        with pytest.raises(KeyboardInterrupt):
            move(log, shelf)
    store = Store(shelf)
    for name, data in whole.items():
        copies = [b"".join(store.blocks(name))] if store.has(name) else []
        copies += [(log / name).read_bytes()] if (log / name).exists() else []
        assert copies and all(copy == data for copy in copies), f"{name} is whole somewhere"
    assert verify(log).is_good
    move(log, shelf)
    assert len(segments(log)) <= 2 and all(store.has(name) for name in whole)


def test_a_copy_that_is_not_what_was_written_is_taken_back_and_the_segment_stays(
    log: Path, shelf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = segments(log)[0]
    with monkeypatch.context() as patch:
        patch.setattr(Store, "blocks", lambda self, name: iter([b"x" * first.stat().st_size]))
        with pytest.raises(AuditUnavailable, match="the copy is not what was written"):
            move(log, shelf)
    assert first.exists() and not Store(shelf).has(first.name) and verify(log).is_good


def test_what_another_log_has_put_there_is_not_overwritten(log: Path, shelf: str) -> None:
    store = Store(shelf)
    store.post("audit-000001.jsonl", b"of another log")
    with pytest.raises(AuditUnavailable, match="exists already, and is not"):
        move(log, shelf)
    assert b"".join(store.blocks("audit-000001.jsonl")) == b"of another log"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://host/logs", "ftp:// is no place for segments"),
        ("https://host/logs", "https:// is no place for segments"),
        ("s3://key:word@bucket/logs", "the URL holds a secret"),
        ("s3://bucket/logs?secret_key=word", "the URL holds a secret"),
        ("abfs://box@account/logs?sig=word", "the URL holds a secret"),
        ("s3://bucket/logs?colour=red", "Unexpected query parameter"),
    ],
)
def test_a_url_that_is_no_place_is_one_clear_error(url: str, said: str, log: Path) -> None:
    with pytest.raises(AuditUnavailable, match=said) as caught:
        shelf_of(url)
    assert "word" not in str(caught.value)
    words = ["audit", "archive", str(log), "--to", url, "--before", "2100-01-01", "--by", "kim",
             "--key", str(log.parent / "audit.key")]  # fmt: skip
    done = run(words)
    assert done.exit_code == 2 and said in done.stderr and "Traceback" not in done.output


def test_a_bucket_that_is_not_there_is_one_clear_error_and_nothing_is_moved(log: Path, storage: str) -> None:
    url = f"s3://no-such-bucket/logs?{storage}"
    before = segments(log)
    with pytest.raises(AuditUnavailable, match=r"s3://no-such-bucket/logs.*NO_SUCH_BUCKET"):
        move(log, url)
    assert segments(log) == before
    done = run(["replay", str(log), "--archive", url])
    assert done.exit_code == 2 and "no-such-bucket" in done.stderr


def test_without_pyarrow_a_url_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtra) as caught:
        shelf_of("s3://bucket/logs")
    assert caught.value.hint == "pip install 'adjudge[archive]'"


def test_reader_behind_a_segment_in_object_storage_is_told_to_copy_it_back(shelf: str, log: Path) -> None:
    move(log, shelf)
    with opened(log) as writer:
        source = FileRecords(writer)
        (end,) = source.ends(own=True)
        first = Position(log=end.log, seq=0, hash=BEFORE_FIRST)
        with pytest.raises(
            AuditUnavailable, match=r"archived to s3://.*from where nothing is fetched for readers; copy"
        ):
            source.read_from(first, max_records=1, max_bytes=1)
