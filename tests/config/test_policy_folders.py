"""Policies of a folder: all of them, in the order of their names, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from adjudge.config.file import open_engine, read_config, require_sound
from adjudge.errors import PolicyErrors
from adjudge.policy.loading import folder as folders

POLICY = "{policy_language: 1, policy: NAME, inputs: {n: int}, rules: [{id: r, when: n > 1, then: review}]}"


def put(file: Path, name: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(POLICY.replace("NAME", name))
    return file


def config(folder: Path, policies: str = "[policies/]") -> Path:
    path = folder / "adjudge.yaml"
    path.write_text(f"policies: {policies}")
    return path


def wrong_with(config: Path) -> str:
    with pytest.raises(PolicyErrors) as wrong:
        open_engine(config)
    return "\n".join(error.message for error in wrong.value.errors)


def test_folder_has_its_policies_and_those_within_in_the_order_of_their_names(tmp_path: Path) -> None:
    for at, name in (("b.yaml", "second"), ("a.yml", "first"), ("c/d/e.yaml", "third"), ("d.yaml", "fourth")):
        put(tmp_path / "policies" / at, name)
    path = config(tmp_path)
    assert [*open_engine(path).policies] == ["first", "second", "third", "fourth"]
    assert require_sound(read_config(path)) == 4


def test_folder_leaves_alone_what_is_no_policy(tmp_path: Path) -> None:
    inside = tmp_path / "policies"
    put(inside / "one.yaml", "one")
    put(inside / ".hidden.yaml", "hidden")
    put(inside / ".git" / "old.yaml", "old")
    put(inside / "backup.yaml~", "backup")
    put(inside / "notes.txt", "notes")
    put(tmp_path / "elsewhere" / "far.yaml", "far")
    (inside / "link").symlink_to(tmp_path / "elsewhere")
    (inside / "gone.yaml").symlink_to(tmp_path / "nowhere")
    (inside / "one_test.yaml").write_text("policy: one.yaml\ntests: []")
    (inside / "part.yaml").write_text("policy_language: 1\nfragment: part\ninputs: {m: int}")
    (inside / "site.yaml").write_text("site_name: x")
    (inside / "adjudge.yaml").write_text("policies: [one.yaml]")
    assert [*open_engine(config(tmp_path)).policies] == ["one"]


def test_link_to_a_file_counts_as_the_file(tmp_path: Path) -> None:
    put(tmp_path / "policies" / "..2026" / "one.yaml", "one")
    (tmp_path / "policies" / "..data").symlink_to("..2026")
    (tmp_path / "policies" / "one.yaml").symlink_to("..data/one.yaml")
    assert [*open_engine(config(tmp_path)).policies] == ["one"]


@pytest.mark.parametrize("text", ["", "policy_language: 1\nrules: [", "- a", "\x00", "rules: {", "policy_language: 1"])
def test_what_may_be_a_policy_and_cannot_be_read_is_an_error(tmp_path: Path, text: str) -> None:
    put(tmp_path / "policies" / "one.yaml", "one")
    (tmp_path / "policies" / "two.yaml").write_text(text)
    with pytest.raises(PolicyErrors) as wrong:
        open_engine(config(tmp_path))
    assert {Path(error.file).name for error in wrong.value.errors} == {"two.yaml"}


def test_duplicates_are_told_with_all_else_that_is_wrong(tmp_path: Path) -> None:
    put(tmp_path / "policies" / "a.yaml", "one")
    put(tmp_path / "policies" / "b.yaml", "one")
    (tmp_path / "policies" / "c.yaml").write_text("policy_language: 1")
    with pytest.raises(PolicyErrors) as wrong:
        require_sound(read_config(config(tmp_path)))
    assert [error.code for error in wrong.value.errors][:1] == ["name-duplicate"]
    assert "a.yaml" in wrong.value.errors[0].message and len(wrong.value.errors) > 1


def test_file_that_is_named_beside_its_folder_is_told(tmp_path: Path) -> None:
    put(tmp_path / "policies" / "a.yaml", "one")
    assert "also the name of the policy in" in wrong_with(config(tmp_path, "[policies/, policies/a.yaml]"))


@pytest.mark.parametrize("made", [True, False])
def test_folder_without_a_policy_is_an_error(tmp_path: Path, made: bool) -> None:
    if made:
        (tmp_path / "policies").mkdir()
    assert ("it holds no policy" if made else "no such file or directory") in wrong_with(config(tmp_path))


def test_folder_that_was_not_meant_is_left_before_all_of_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "FILES_MAX", 5)
    for number in range(7):
        put(tmp_path / "policies" / f"{number}.yaml", f"p{number}")
    assert "more than 5 files" in wrong_with(config(tmp_path))
