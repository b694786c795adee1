"""The verifier finds every tampering, says what and where, and needs nothing but Python."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest
from audit_logs import SEGMENT, write_log
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge.audit.log import AuditLog
from adjudge.audit.read import read
from adjudge.audit.record import FIRST_PREV, encode
from adjudge.audit.verify import Findings, main, verify
from adjudge.audit.verify import lines as lines_module
from adjudge.errors import AuditBroken, AuditUnavailable

SOURCES = Path(lines_module.__file__).parent


def rechained(lines: list[bytes], start: int = 0) -> list[bytes]:
    """Compute `seq`, `prev` and `hash` of the lines from `start` on anew, as a careful forger would."""
    seq, prev = start, lines[start - 1][-67:-3] if start else FIRST_PREV
    forged = lines[:start]
    for line in lines[start:]:
        seq += 1
        members = line[line.index(b'"kind":"decision"') + 17 : -76]
        line, prev = encode("decision", seq, prev, members)
        forged.append(line)
    return forged


def _cut(line: bytes) -> bytes:
    return line[:-30]


def _fail(line: bytes) -> bytes:
    return line.replace(b'"pass"', b'"fail"')


Tampering = Callable[[list[bytes]], list[bytes]]
TAMPERINGS: dict[str, tuple[Tampering, int, int, str]] = {
    # name: what is done to ten lines, and the line, seq and kind of the first problem
    "edit": (lambda x: [*x[:4], _fail(x[4]), *x[5:]], 5, 5, "edited"),
    "edit-the-last": (lambda x: [*x[:9], _fail(x[9])], 10, 10, "edited"),
    "edit-the-hash": (lambda x: [*x[:4], x[4][:-5] + b'00"}\n', *x[5:]], 5, 5, "edited"),
    "edit-and-hash-anew": (lambda x: [*rechained([*x[:4], _fail(x[4])], 4), *x[5:]], 6, 6, "edited"),
    "edit-prev": (lambda x: [*x[:4], x[4].replace(x[3][-67:-3], b"0" * 64), *x[5:]], 5, 5, "edited"),
    "edit-seq": (lambda x: [*x[:4], x[4].replace(b'"seq":5', b'"seq":6'), *x[5:]], 5, 6, "edited"),
    "edit-kind": (lambda x: [*x[:4], x[4].replace(b"decision", b"decisiom"), *x[5:]], 5, 5, "edited"),
    "delete-the-first": (lambda x: x[1:], 1, 2, "missing"),
    "delete": (lambda x: [*x[:4], *x[5:]], 5, 6, "missing"),
    "delete-several": (lambda x: [*x[:4], *x[8:]], 5, 9, "missing"),
    "delete-and-chain-the-next": (lambda x: [*rechained([*x[:4], x[5]], 4), *x[6:]], 6, 7, "missing"),
    "insert-a-copy": (lambda x: [*x[:5], x[4], *x[5:]], 6, 5, "inserted"),
    "insert-an-old-one": (lambda x: [*x, x[2]], 11, 3, "inserted"),
    "insert-and-hash": (lambda x: [*rechained([*x[:4], _fail(x[0])], 4), *x[4:]], 6, 5, "inserted"),
    "swap": (lambda x: [*x[:4], x[5], x[4], *x[6:]], 5, 6, "reordered"),
    "swap-far": (lambda x: [*x[:4], x[8], *x[5:8], x[4], x[9]], 5, 9, "reordered"),
    "reverse": (lambda x: x[::-1], 1, 10, "reordered"),
    "truncate-mid-line": (lambda x: [*x[:9], _cut(x[9])], 10, 10, "torn"),
    "truncate-the-newline": (lambda x: [*x[:9], x[9][:-1]], 10, 10, "torn"),
    "cut-a-line-short": (lambda x: [*x[:4], _cut(x[4]) + b"\n", *x[5:]], 5, 5, "not-json"),
    "join-two-lines": (lambda x: [*x[:4], x[4][:-1], *x[5:]], 5, 5, "edited"),
    "empty-line": (lambda x: [*x[:4], b"\n", *x[4:]], 5, 5, "not-json"),
    "no-json": (lambda x: [*x[:4], b"\xff\x00garbage\n", *x[4:]], 5, 5, "not-json"),
    "carriage-return": (lambda x: [*x[:4], x[4][:-1] + b"\r\n", *x[5:]], 5, 5, "wrong-schema"),
    "other-json": (lambda x: [*x[:4], b'{"seq":5}\n', *x[4:]], 5, 5, "wrong-schema"),
    "spaced-json": (lambda x: [*x[:4], x[4].replace(b'"seq":', b'"seq": '), *x[5:]], 5, 5, "wrong-schema"),
    "other-schema": (lambda x: [*x[:4], x[4].replace(b'"schema":1', b'"schema":2'), *x[5:]], 5, 5, "wrong-schema"),
    "member-after-the-hash": (lambda x: [*x[:4], x[4][:-2] + b',"a":1}\n', *x[5:]], 5, 5, "wrong-schema"),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_verify_tampered_log_names_the_first_bad_record(tmp_path: Path, name: str) -> None:
    tamper, line, seq, what = TAMPERINGS[name]
    (tmp_path / SEGMENT).write_bytes(b"".join(tamper(write_log(tmp_path, 10))))
    problem = verify(tmp_path).problem
    assert problem
    assert (problem.line, problem.seq, problem.what) == (line, seq, what)
    assert problem.file.endswith(SEGMENT)
    with pytest.raises(AuditBroken, match=f"{SEGMENT}:{line}: "):
        list(read(tmp_path))


def test_verify_good_log_says_count_and_last_hash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = write_log(tmp_path, 10)
    digest = json.loads(lines[-1])["hash"]
    assert verify(tmp_path) == Findings(count=10, last_seq=10, last_hash=digest, problem=None, unsigned=10)
    assert verify(tmp_path / SEGMENT) == verify(tmp_path)
    assert main([str(tmp_path)]) == 0
    said = f"10 records verify, last seq 10, last hash {digest}\n"
    assert (
        capsys.readouterr().out == f"{said}unsigned: anybody who can write to the folder can have written any of it\n"
    )


def test_verify_that_read_nothing_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_log(tmp_path / "empty", 0)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for name in ("empty", "folder", "file"):
        problem = verify(tmp_path / name).problem
        assert problem is not None and problem.what == "empty"
        assert main([str(tmp_path / name)]) == 1
        assert "error[empty]: contains no record of an audit log" in capsys.readouterr().out
    (tmp_path / "other.jsonl").write_text('{"a": 1}\n')
    assert main([str(tmp_path / "other.jsonl")]) == 1


def test_what_is_no_file_is_refused_and_nobody_waits_for_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = write_log(tmp_path / "log", 3)
    for name in ("fifo", "dangling", "folder", "device"):
        for kind in ("first", "next", "alone", "key", "anchors"):
            place = tmp_path / f"{name}-{kind}"
            place.mkdir()
            at = place / ("audit-000001.jsonl" if kind == "first" else "audit-000002.jsonl")
            if kind == "next":
                (place / SEGMENT).write_bytes(b"".join(lines))
            if name == "fifo":
                os.mkfifo(at)
            elif name == "dangling":
                at.symlink_to(tmp_path / "nothing")
            elif name == "device":
                at.symlink_to("/dev/zero")
            else:
                at.mkdir()
            if name == "folder" and kind == "alone":
                continue  # it is a log's folder, an empty one
            log = str(tmp_path / "log")
            arguments = {"alone": [str(at)], "key": [log, "--key", str(at)], "anchors": [log, "--anchors", str(at)]}
            assert main(arguments.get(kind, [str(place)])) == 2
            assert capsys.readouterr().err.startswith(str(place))
            if kind in ("first", "next"):
                with pytest.raises(AuditUnavailable):
                    AuditLog.open(place)
                with pytest.raises(AuditUnavailable):
                    list(read(place))


def test_verify_log_cut_at_a_record_is_found_only_by_a_witness(tmp_path: Path) -> None:
    lines = write_log(tmp_path, 10)
    digest = json.loads(lines[-1])["hash"]
    assert verify(tmp_path, expect_last=digest, expect_count=10).is_good
    (tmp_path / SEGMENT).write_bytes(b"".join(lines[:7]))
    assert verify(tmp_path).is_good
    for findings in (verify(tmp_path, expect_last=digest), verify(tmp_path, expect_count=10)):
        assert findings.problem
        assert (findings.problem.what, findings.problem.seq) == ("unexpected-end", 7)


def test_verify_log_rewritten_with_all_hashes_is_found_only_by_a_witness(tmp_path: Path) -> None:
    lines = write_log(tmp_path, 10)
    (tmp_path / SEGMENT).write_bytes(b"".join(rechained([*lines[:4], _fail(lines[4]), *lines[5:]], 4)))
    assert verify(tmp_path, expect_count=10).is_good
    assert not verify(tmp_path, expect_last=json.loads(lines[-1])["hash"]).is_good


def test_verify_segments_are_read_as_one_chain(tmp_path: Path) -> None:
    lines = write_log(tmp_path, 10)
    (tmp_path / SEGMENT).write_bytes(b"".join(lines[:4]))
    (tmp_path / "audit-000002.jsonl").write_bytes(b"".join(lines[4:8]))
    (tmp_path / "audit-1000000.jsonl").write_bytes(b"".join(lines[8:]))
    assert verify(tmp_path).count == 10
    assert [record.seq for record in read(tmp_path)] == list(range(1, 11))
    (tmp_path / "audit-000002.jsonl").unlink()
    problem = verify(tmp_path).problem
    assert problem
    assert (Path(problem.file).name, problem.line, problem.what) == ("audit-1000000.jsonl", 1, "missing")


def test_verify_record_moved_to_a_later_segment_is_reordered(tmp_path: Path) -> None:
    lines = write_log(tmp_path, 10)
    (tmp_path / SEGMENT).write_bytes(b"".join([*lines[:3], *lines[4:6]]))
    (tmp_path / "audit-000002.jsonl").write_bytes(b"".join([lines[3], *lines[6:]]))
    problem = verify(tmp_path).problem
    assert problem
    assert (problem.line, problem.seq, problem.what) == (4, 5, "reordered")


def test_verify_line_longer_than_the_limit_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = write_log(tmp_path, 3)
    monkeypatch.setattr(lines_module, "MAX_LINE", 1000)
    (tmp_path / SEGMENT).write_bytes(b"".join([*lines, b"x" * 5000 + b"\n"]))
    problem = verify(tmp_path).problem
    assert problem
    assert (problem.line, problem.what) == (4, "too-long")


def test_verify_line_that_a_writer_is_finishing_is_waited_for(tmp_path: Path) -> None:
    lines = write_log(tmp_path, 3)
    (tmp_path / SEGMENT).write_bytes(b"".join(lines)[:-40])

    def finish(seconds: float) -> None:
        (tmp_path / SEGMENT).write_bytes(b"".join(lines))

    with patch.object(lines_module.time, "sleep", finish):
        assert verify(tmp_path).count == 3


def test_verify_status_and_formats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = write_log(tmp_path / "log", 3)
    (tmp_path / "log" / SEGMENT).write_bytes(b"".join([lines[0], _fail(lines[1]), lines[2]]))
    assert main([str(tmp_path / "log")]) == 1
    out = capsys.readouterr().out
    assert f"{SEGMENT}:2: error[edited]: record 2: the record's bytes do not have the hash that it carries\n" in out
    assert main([str(tmp_path / "log"), "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["count"] == 1
    assert found["problem"]["what"] == "edited"
    assert main([str(tmp_path / "absent")]) == 2
    assert str(tmp_path / "absent") in capsys.readouterr().err
    with pytest.raises(SystemExit) as exit_info:
        main(["--unknown"])
    assert exit_info.value.code == 2


def test_verify_imports_only_the_standard_library() -> None:
    imported = set()
    for node in (node for file in SOURCES.glob("*.py") for node in ast.walk(ast.parse(file.read_text()))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level != 1:  # else it is a module beside it
            imported.add((node.module or "").partition(".")[0])
    assert imported <= set(sys.stdlib_module_names)


def test_verify_copied_alone_to_another_machine_runs(tmp_path: Path) -> None:
    write_log(tmp_path / "log", 3)
    copy = shutil.copytree(SOURCES, tmp_path / "checker", ignore=shutil.ignore_patterns("__pycache__"))
    run = subprocess.run(
        [sys.executable, "-I", "-S", copy, tmp_path / "log"], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("3 records verify")


def _single(directory: Path, members: bytes) -> Findings:
    (directory / SEGMENT).write_bytes(encode("decision", 1, FIRST_PREV, members)[0])
    return verify(directory)


@pytest.mark.parametrize(
    ("members", "what"),
    [
        (b"", None),
        (b',"a":{},"b":[],"c":[{}],"d":-0.5e+10,"e":"\\u00e9\\n"', None),
        (b',"a":' + b"[" * 30 + b"]" * 30, None),
        (b',"a b":1', None),
        (b',"a": 1', None),
        (',"a":"ü"'.encode(), None),
        (b',"a":{"b":1,"b":2}', None),
        (b',"a":"\xff"', "not-json"),
        (b',"a":01', "not-json"),
        (b',"a":NaN', "not-json"),
        (b',"a":+1', "not-json"),
        (b',"a":.5', "not-json"),
        (b',"a":1,', "not-json"),
        (b',"a"', "not-json"),
        (b',"a":[1,]', "not-json"),
        (b',"a":{"b":1,}', "not-json"),
        (b',"a":{"b"}', "not-json"),
        (b',"a":"\t"', "not-json"),
        (b',"a":"\\x"', "not-json"),
        (b',"a":' + b"[" * 30 + b"]" * 29, "not-json"),
        (b',"a":' + b"[" * 200_000, "not-json"),
        (b',"a":1}{', "not-json"),
        (b',"a":1,"a":2', "not-json"),
        (b',"a":1,"\\u0061":2', "not-json"),
        (b',"seq":2', "not-json"),
        (b',"hash":"x"', "not-json"),
        (b',"\\u006bind":"x"', "not-json"),
    ],
)
def test_verify_record_with_a_right_hash_and_wrong_members_is_found(
    tmp_path: Path, members: bytes, what: str | None
) -> None:
    problem = _single(tmp_path, members).problem
    assert (problem and problem.what) == what


def test_numbers_that_no_integer_holds_are_no_traceback(tmp_path: Path) -> None:
    long = b"9" * 5000
    members = b',"decision_id":"a","n":%b' % long
    assert _single(tmp_path, members).is_good
    line, last = encode("decision", 1, FIRST_PREV, members)
    point = b',"log":"%b","count":1,"last":"%b","gap":0,"every":' % (last, last)
    for every, what in (
        (b"5", None),
        (long, "false-checkpoint"),
        (b"1.5", "false-checkpoint"),
        (b"0", "false-checkpoint"),
    ):
        (tmp_path / SEGMENT).write_bytes(line + encode("checkpoint", 2, last, point + every)[0])
        problem = verify(tmp_path).problem
        assert (problem and problem.what) == what


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def _is_object_without_repeats(line: bytes) -> bool:
    repeats = [False]

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        repeats[0] = len(dict(pairs)) != len(pairs)
        return dict(pairs)

    def refuse(constant: str) -> object:
        raise ValueError

    try:
        json.loads(line.decode(), object_pairs_hook=once, parse_constant=refuse)
    except (ValueError, RecursionError):
        return False
    return not repeats[0]


@settings(max_examples=400, deadline=None)
@given(body=st.dictionaries(st.text(max_size=8), JSON, max_size=5), data=st.data())
def test_verify_members_are_judged_as_a_json_parser_does(
    tmp_path_factory: pytest.TempPathFactory, body: dict[str, object], data: st.DataObject
) -> None:
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=data.draw(st.booleans()))
    members = b"," * bool(body) + text.encode("utf-8", "surrogatepass")[1:-1]
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, len(members)))
        members = members[:at] + data.draw(st.sampled_from(list(b'",:[]{}\\0.e-a\t'))).to_bytes() + members[at + 1 :]
    line = encode("decision", 1, FIRST_PREV, members)[0]
    directory = tmp_path_factory.getbasetemp()
    assert _single(directory, members).is_good == (_is_object_without_repeats(line) and members[:1] in (b",", b""))


def test_hash_as_anybody_can_compute_it(tmp_path: Path) -> None:
    """The recipe of the documentation, with nothing of this project."""
    prev = "0" * 64
    for line in write_log(tmp_path, 3):
        record = json.loads(line)
        assert record["prev"] == prev
        prev = hashlib.sha256(line[: line.rindex(b',"hash":"')]).hexdigest()
        assert record["hash"] == prev
