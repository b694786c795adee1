"""Formatting a document, and making sure that it says the same afterwards."""

from __future__ import annotations

from adjudge.authoring.formatting.comments import ALLOWANCE, Subjects, comments
from adjudge.authoring.formatting.printer import Path, Printer, is_condition
from adjudge.errors import AdjudgeError, PolicyErrors
from adjudge.errors import FormatFault as FormatFault
from adjudge.expr.nodes import Node as Condition
from adjudge.expr.parse import parse
from adjudge.policy.text import yaml
from adjudge.policy.text.yaml import Mapping, Scalar, YamlNode, read_yaml
from adjudge.source import Source


def formatted(text: str, name: str = "policy.yaml") -> str:
    """Return a policy, fragment or test file in house form: the same values, the same comments, nothing else.

    Lines end as the first one does.
    Raises PolicyErrors where the text is not YAML as policies have it, FormatFault where it cannot be formatted.
    """
    source = Source(name, text.replace("\r\n", "\n"))
    root, errors = read_yaml(source)
    if root is None or errors:
        raise PolicyErrors(errors)
    result = Printer(source.text, root).document()
    after, errors = read_yaml(Source(name, result))
    same = after is not None and not errors and _meaning(after, ()) == _meaning(root, ())
    if not same or after is None or _said(source.text, root) != _said(result, after):
        raise FormatFault(f"{name}: the house form would not say the same; the file was left as it is")
    lost = [text for text, about in _allowed(source.text, root) if (text, about) not in _allowed(result, after)]
    if lost:
        said = f"`{lost[0]}` would allow something else; put it above the one entry that it is about"
        raise FormatFault(f"{name}: {said}; the file was left as it is")
    first = text.find("\n")
    return result.replace("\n", "\r\n") if text[max(first - 1, 0) : first] == "\r" else result


def _allowed(text: str, root: YamlNode) -> list[tuple[str, list[str]]]:
    """Return what each comment allows, and where: no finding may come or go."""
    subjects = Subjects(Source("", text), root)
    allowing = (comment for comment in comments(text, root) if ALLOWANCE.match(comment.text))
    return sorted((one.text, sorted([str(entry.path) for entry in subjects.of(one)])) for one in allowing)


def _said(text: str, root: YamlNode) -> list[str]:
    return sorted(comment.text for comment in comments(text, root))


def _meaning(node: YamlNode, path: Path) -> object:
    """Return what a document says: values, with conditions as trees."""
    match node:
        case Scalar(value=value):
            tree = _tree(node) if is_condition(path) else None
            return ("condition", tree) if tree is not None else (type(value).__name__, node.text.value)
        case Mapping(entries=entries):
            return {key.text.value: _meaning(value, (*path, key.text.value)) for key, value in entries}
        case yaml.Sequence(items=items):
            return [_meaning(item, (*path, "*")) for item in items]
        case _:
            return None


def _tree(node: Scalar) -> Condition | None:
    try:
        return parse(node.text)
    except AdjudgeError:
        return None
