"""Fragments: parts of policies that several of them include, merged before anything is understood.

The policy and its fragments become one text with one tree, so that whatever is said later of a part of it, be it an
error or the place of a rule, names the file in which that part stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from adjudge.policy.loading.document import KEYS
from adjudge.policy.loading.reader import Reader
from adjudge.policy.text import yaml
from adjudge.policy.text.files import Files
from adjudge.policy.text.recovery import read_on
from adjudge.policy.text.syntax import shown
from adjudge.policy.text.yaml import Mapping, Scalar, YamlNode
from adjudge.source import Joined, Source, Span, Text, join

MERGED = (
    "inputs",
    "signals",
    "lists",
    "lookup",
    "rates",
    "variables",
    "thresholds",
    "tables",
    "scorecards",
    "steps",
    "reasons",
    "calibration",
)
"""Sections that are put together by name."""
LISTED = ("rules", "excuse")
"""Sections that are lists, one behind the other; an excuse may also stand alone."""
FRAGMENT_KEYS = ("policy_language", "fragment", "description", *MERGED, *LISTED, "scorecard")
FRAGMENTS_MAX = 50
WITH_FILES = ("tables", "lookup")
"""Sections whose entries may name a table's file."""


def with_fragments(reader: Reader, root: YamlNode, files: Files) -> tuple[Reader, YamlNode]:
    """Return the document with what it includes, and a reader for both; what is wrong is blamed.

    A fragment that cannot be read is left out.
    """
    included = root.get("include") if isinstance(root, Mapping) else None
    if included is None or not isinstance(root, Mapping):
        return reader, root
    sources = [reader.source]
    fragments: list[tuple[Mapping, Source, str]] = []
    for path, node in _paths(reader, included):
        text = files.read(reader, node, path, "include")
        if text is None:
            continue
        own = Source(shown_path(reader.source.name, path, files), text)
        source, tree, errors, is_whole = read_on(own, recorded=reader.recorded)
        reader.errors.extend(errors)
        reader = replace(reader, is_whole=reader.is_whole and is_whole)
        if isinstance(tree, Mapping):
            fragments.append((tree, source, path))
            sources.append(source)
        elif not errors:
            reader.blame("include-fragment", f"`{shown(path)}` is not a fragment", node.span, _WAY)
    joined = join(sources)
    joint = replace(reader, source=joined)
    trees = [
        _moved_mapping(_with_paths_below(tree, PurePosixPath(path).parent), begins, joined)
        for (tree, _, path), (begins, _) in zip(fragments, joined.parts[1:], strict=True)
    ]
    good = [tree for tree in trees if _is_fragment(joint, tree)]
    return joint, _merged(joint, root, good)


_WAY = "a fragment is a document with `policy_language: 1` and `fragment: its-name`"


def _paths(reader: Reader, included: YamlNode) -> Iterator[tuple[str, YamlNode]]:
    before: set[str] = set()
    items = reader.items(included, "`include`")
    for node in items[:FRAGMENTS_MAX]:
        path = reader.text(node, "a fragment's path") if type(node) is not YamlNode else None
        if path in before:
            reader.blame("name-duplicate", f"`{shown(path or '')}` is included twice", node.span, "keep one of the two")
        elif path is not None:
            before.add(path)
            yield path, node
    if len(items) > FRAGMENTS_MAX:
        message = f"a policy includes at most {FRAGMENTS_MAX} fragments"
        reader.blame("schema-range", message, items[FRAGMENTS_MAX].span)


def shown_path(policy: str, path: str, files: Files) -> str:
    """Return a fragment's name as messages show it: beside its policy, where that is a file."""
    folder = PurePosixPath(policy).parent if files.folder is not None else PurePosixPath()
    return str(folder / path)


def _is_fragment(reader: Reader, tree: Mapping) -> bool:
    """Blame what is wrong with a fragment's head; whether it is one."""
    before = len(reader.errors)
    at = tree.entries[0][0].span if tree.entries else tree.span
    if tree.get("policy") is not None:
        key = next(key for key, _ in tree.entries if key.text.value == "policy")
        reader.blame("include-fragment", "a whole policy cannot be included", key.span, _WAY)
        return False
    if tree.get("include") is not None:
        key = next(key for key, _ in tree.entries if key.text.value == "include")
        hint = "name it in the policy's own `include`"
        reader.blame("include-fragment", "a fragment cannot include another", key.span, hint)
        return False
    whole = [key for key, _ in tree.entries if key.text.value in KEYS and key.text.value not in FRAGMENT_KEYS]
    for key in whole:
        name = shown(key.text.value)
        hint = "write it in the policy that includes this fragment"
        reader.blame("include-fragment", f"`{name}` is for a whole policy, not for a fragment", key.span, hint)
    tree = replace(tree, entries=tuple(entry for entry in tree.entries if entry[0] not in whole))
    entries = reader.mapping(tree, "a fragment", keys=FRAGMENT_KEYS, required=FRAGMENT_KEYS[:2], at=at)
    if "fragment" in entries:
        reader.text(entries["fragment"][1], "the fragment's name")
    if "description" in entries:
        reader.text(entries["description"][1], "the description")
    said = entries.get("policy_language")
    if said is not None and reader.integer(said[1], "`policy_language`", 10**6) not in (None, 1):
        reader.blame("schema-policy-language", "a fragment must be in policy language 1", said[1].span)
    return len(reader.errors) == before


def _merged(reader: Reader, root: Mapping, fragments: list[Mapping]) -> Mapping:
    """Return the document without `include`, its sections with those of the fragments behind them."""
    entries = {key.text.value: (key, node) for key, node in root.entries if key.text.value != "include"}
    for tree in fragments:
        for key, node in tree.entries:
            name = key.text.value
            if name not in (*MERGED, *LISTED, "scorecard") or (isinstance(node, Scalar) and node.value is None):
                continue
            if name not in entries:
                entries[name] = (key, node)
                continue
            own_key, own = entries[name]
            if name == "excuse":
                own, node = _listed(own), _listed(node)
            if name == "scorecard":
                hint = "give each a name under `scorecards`"
                reader.blame("name-duplicate", "`scorecard` is declared in two files", key.span, hint)
            elif isinstance(own, Mapping) and isinstance(node, Mapping):
                entries[name] = own_key, _both(reader, own, node)
            elif isinstance(own, yaml.Sequence) and isinstance(node, yaml.Sequence):
                entries[name] = own_key, replace(own, items=(*own.items, *node.items))
            elif isinstance(own, Mapping | yaml.Sequence):  # the other one is blamed here, as the reader sees only this
                reader.unfit(node, f"`{name}`", "a list" if name in LISTED else "a mapping")
    return replace(root, entries=tuple(entries.values()))


def _listed(node: YamlNode) -> YamlNode:
    """Return an excuse that stands alone as a list of one."""
    return yaml.Sequence(span=node.span, items=(node,)) if isinstance(node, Mapping) else node


def _both(reader: Reader, own: Mapping, other: Mapping) -> Mapping:
    places = {key.text.value: key.span for key, _ in own.entries}
    added = []
    for key, node in other.entries:
        name = key.text.value
        if name in places:
            hint = f"it is already in {reader.source.line_at(places[name].start)}; keep one of the two"
            reader.blame("name-duplicate", f"`{shown(name)}` is declared in two files", key.span, hint)
        else:
            added.append((key, node))
    return replace(own, entries=(*own.entries, *added))


def _with_paths_below(tree: Mapping, folder: PurePosixPath) -> Mapping:
    """Return a fragment whose files start at the policy's folder; it writes them from its own."""
    if folder == PurePosixPath():
        return tree

    def below(node: YamlNode) -> YamlNode:
        if not isinstance(node, Scalar) or not isinstance(node.value, str) or PurePosixPath(node.value).is_absolute():
            return node
        return replace(node, value=str(folder / node.value))

    def rebased(node: YamlNode) -> YamlNode:
        if not isinstance(node, Mapping):
            return node
        parts = ((key, below(value) if key.text.value == "file" else value) for key, value in node.entries)
        return replace(node, entries=tuple(parts))

    def moved(node: YamlNode) -> YamlNode:
        if not isinstance(node, Mapping):
            return node
        return replace(node, entries=tuple((key, rebased(value)) for key, value in node.entries))

    with_files = ("lists", *WITH_FILES)
    entries = ((key, moved(node) if key.text.value in with_files else node) for key, node in tree.entries)
    return replace(tree, entries=tuple(entries))


def _moved_mapping(node: Mapping, by: int, source: Joined) -> Mapping:
    entries = ((_moved_scalar(key, by, source), _moved(value, by, source)) for key, value in node.entries)
    return Mapping(span=_moved_span(node.span, by), entries=tuple(entries))


def _moved(node: YamlNode, by: int, source: Joined) -> YamlNode:
    """Return a tree with its places counted in the joined text."""
    match node:
        case Mapping():
            return _moved_mapping(node, by, source)
        case yaml.Sequence(items=items):
            return replace(node, span=_moved_span(node.span, by), items=tuple(_moved(i, by, source) for i in items))
        case Scalar():
            return _moved_scalar(node, by, source)
        case _:
            return replace(node, span=_moved_span(node.span, by))


def _moved_scalar(node: Scalar, by: int, source: Joined) -> Scalar:
    positions = tuple(at + by for at in node.text.positions)
    return replace(node, span=_moved_span(node.span, by), text=Text(node.text.value, source, positions))


def _moved_span(span: Span, by: int) -> Span:
    return Span(span.start + by, span.end + by)
