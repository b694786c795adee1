"""Next steps: what a flow can ask an applicant for, and which rules and bands ask for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from adjudge.errors import nearest
from adjudge.policy.loading.forms import Entries
from adjudge.policy.loading.reader import Reader
from adjudge.policy.loading.remarks import check_texts, read_texts
from adjudge.policy.text import yaml
from adjudge.policy.text.syntax import shown
from adjudge.policy.text.yaml import Scalar, YamlNode
from adjudge.policy.typed import Step
from adjudge.source import Edit, Span


def read_ask(reader: Reader, node: YamlNode) -> tuple[Scalar, ...]:
    """Return the names of steps under an `ask`."""
    items = reader.names(node, "`ask`")
    if isinstance(node, yaml.Sequence) and not items:
        reader.blame("schema-empty", "`ask` is empty", node.span, "name a step, or leave the key out")
    return tuple(item for item in items if reader.text(item, "a step") is not None and isinstance(item, Scalar))


def asked(reader: Reader, names: Sequence[Scalar], steps: Collection[str]) -> tuple[str, ...]:
    """Return the steps of an `ask`, each once; blames those that are not declared."""
    for scalar in names:
        check_step(reader, scalar.text.value, scalar.span, steps)
    return tuple(dict.fromkeys(scalar.text.value for scalar in names))


def check_step(reader: Reader, name: str, at: Span, steps: Collection[str], *, is_own: bool = True) -> None:
    """Blame a step that is not declared. is_own: its name stands in the policy as it is, not in a table's cell."""
    if name not in steps and reader.is_whole and not _is_blamed(reader, name):
        near = nearest(name, steps) if " " not in name else None
        fix = (Edit(span=at, text=near),) if near is not None and is_own else ()
        hint = f"declare it under `steps:`, such as `steps: {{{shown(name)}: …}}`"
        hint = f"did you mean `{near}`?" if near is not None else hint
        reader.blame("name-unknown", f"there is no step `{shown(name)}`", at, hint, fix=fix)


def _is_blamed(reader: Reader, name: str) -> bool:
    """Whether a step, or all of them, were blamed where they are declared."""
    said = ("`steps`", f"`{shown(name)}`")
    return any(error.code != "name-unknown" and any(one in error.message for one in said) for error in reader.errors)


def read_steps(reader: Reader, entries: Entries, fields: Collection[str]) -> Mapping[str, Step]:
    """Return the steps that a policy declares, in its order. fields: what a text may name between braces."""
    steps = {}
    for key, node in entries.values():
        name = reader.name(key, "a step")
        text = check_texts(reader, read_texts(reader, node, "the text of a step"), fields)
        if name is not None:
            steps[name] = Step(name=name, text=text, span=key.span)
    return steps
