"""The shape of a document: each part is what its place asks for, or is blamed once and left out."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import field

from adjudge.errors import EvaluationError, FieldError, PolicyError, did_you_mean
from adjudge.frozen import frozen
from adjudge.model import OUTCOMES, Outcome
from adjudge.patterns import late
from adjudge.policy.loading.meant_values import joined_condition, value_meant
from adjudge.policy.loading.other_words import choice_meant, key_meant
from adjudge.policy.text import yaml
from adjudge.policy.text.repairs import Repair, repair_of
from adjudge.policy.text.syntax import as_value, shown
from adjudge.policy.text.yaml import Mapping, Scalar, YamlNode
from adjudge.source import Edit, Source, Span, Text
from adjudge.values.literals import parse_duration
from adjudge.values.look_alikes import first_look_alike, plainly, said_of
from adjudge.values.types import DURATION, INT, Type

EVERYTHING = "\0everything"
"""For a key that holds all the others of its line, in signs of another keyboard."""
_OTHER_FLOW_SIGN = late("[\uff1a\uff0c\u3001\uff5d\uff3d]")
_SHOWN = 60
_NAMED = 3
_EXAMPLES = {"policy_language": "1", "then": "review"}
"""What to write behind a key that is missing, where that is more than a name."""
_GLUED = late(r"([^:：]+?)\s*([:：])\s*(.+)")
_OF_ITEMS = frozenset({"id", "when", "then", "add", "name", "given", "expect"})
_PARTED = late(r"\s*[,;|\uff0c\uff1b\u3001]\s*")
_WORD = late(r"[\w.-]+")
_NAME = late(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


RENAMED_KEYS = {"on_in_doubt": "when_billing_unknown"}
"""What keys were called before. A policy in a log may have an old one for ever, a policy in a file may not."""


@frozen
class Reader:
    """Reads one source and gathers what is wrong with it. Every method that answers None has said why.

    recorded: whether it stands in a log, where decisions were made on it: what it says by an old name still counts.
    is_whole: whether all of it could be read; where not, what is missing is no mistake of its own.
    """

    source: Source
    errors: list[PolicyError] = field(default_factory=list)
    recorded: bool = False
    is_whole: bool = True

    def blame(
        self,
        code: str,
        message: str,
        span: Span,
        hint: str | None = None,
        note: str = "",
        *,
        fix: Iterable[Edit] = (),
        is_sure: bool = False,
    ) -> None:
        """Keep an error. fix: edits that do what the hint says, see PolicyError."""
        self.errors.append(
            PolicyError(code, message, source=self.source, span=span, hint=hint, note=note, fix=fix, is_sure=is_sure)
        )

    def unfit(
        self, node: YamlNode, what: str, expected: str, hint: str | None = None, meant: str | None = None
    ) -> None:
        """Blame a node for being of another kind than its place asks for. meant: what to write in its place."""
        fix = (Edit(span=node.span, text=meant),) if meant is not None else ()
        if meant is not None:
            hint = f"write {meant}"
        if isinstance(node, Scalar) and node.value is None:
            if not self.is_whole:
                return
            self.blame("schema-empty", f"{what} is empty", node.span, hint or "write a value, or leave the key out")
        elif isinstance(node, Scalar | yaml.Sequence | Mapping):
            self.blame(
                "schema-type",
                f"{what} must be {expected}, not {kind(node)}",
                node.span,
                hint,
                f"expected {expected}",
                fix=fix,
            )

    def unfit_value(self, node: YamlNode, what: str, expected: str, type_: Type, otherwise: str | None = None) -> None:
        """Blame a value for not being one of a type, with what was most likely meant. otherwise: the hint, if not."""
        meant = value_meant(node, type_) if isinstance(node, Scalar) and node.value is not None else None
        if meant is None or not isinstance(node, Scalar):
            self.unfit(node, what, expected, otherwise)
            return
        said = self.written(node)
        message = f"{what} must be {expected}, not `{shown(said)}`: {meant.why}"
        fix = (Edit(span=node.span, text=meant.text),)
        self.blame("schema-type", message, node.span, f"write {meant.text}", fix=fix, is_sure=meant.is_sure)

    def mapping(
        self,
        node: YamlNode,
        what: str,
        *,
        keys: Sequence[str] | None = None,
        required: Sequence[str] = (),
        may_be_empty: Sequence[str] = (),
        at: Span,
    ) -> dict[str, tuple[Scalar, YamlNode]]:
        """Return the entries of a mapping by key: those with a key that is known and a value that is there.

        keys: the known ones; None where the author names them. may_be_empty: of which the caller says more where the
        value is not there. at: where to put a missing key's blame.
        """
        if not isinstance(node, Mapping):
            self.unfit(node, what, "a mapping")
            return {}
        entries = {}
        strangers: list[Scalar] = []
        there = {key.text.value for key, _ in node.entries}
        for key, value in node.entries:
            name = key.text.value
            new = RENAMED_KEYS.get(name, name)
            if new != name and keys is not None and new in keys:
                if not self.recorded:
                    message = f"`{name}` is now called `{new}`"
                    fix = (Edit(span=key.span, text=new),)
                    self.blame("schema-unknown-key", message, key.span, f"write {new}", fix=fix, is_sure=True)
                name = new
            if keys is not None and name not in keys:
                meant = self.unknown_key(key, value, what, keys, there, strangers)
                if meant == EVERYTHING:
                    there.update(keys)
                    continue
                if meant is None or meant in entries:
                    continue
                name = meant
                there.add(name)
            if keys is None and _OTHER_FLOW_SIGN.search(name) and (line := self.repaired(key.span)) is not None:
                self.blame("schema-unknown-key", line.message, line.span, line.hint, fix=line.edits, is_sure=True)
                continue
            if isinstance(value, Scalar) and value.value is None and name not in may_be_empty:
                if key.text.value == name and self.is_whole:
                    hint = "write a value, or leave the key out"
                    self.blame("schema-empty", f"`{shown(name)}` is empty", key.span, hint)
            else:
                entries[name] = (key, value)
        self.unknown_keys(strangers, what, keys or ())
        for name in required:
            if name not in there and self.is_whole:
                self.blame("schema-missing", f"{what} needs `{name}`", at, f"add `{name}: {_EXAMPLES.get(name, '…')}`")
        return entries

    def unknown_key(
        self,
        key: Scalar,
        value: YamlNode,
        what: str,
        keys: Sequence[str],
        there: Collection[str],
        strangers: list[Scalar],
    ) -> str | None:
        """Blame a key that is none of those known, and return the one that it was most likely meant to be.

        strangers: gets the key where nothing near is known, to be blamed with the others of its kind.
        """
        name = key.text.value
        is_empty = isinstance(value, Scalar) and value.value is None
        glued = _GLUED.fullmatch(name) if is_empty else None
        if glued is not None and _OTHER_FLOW_SIGN.search(name) and (line := self.repaired(key.span)) is not None:
            self.blame("schema-unknown-key", line.message, line.span, line.hint, fix=line.edits, is_sure=True)
            return EVERYTHING
        if glued is not None and (plainly(glued.group(1)).strip() in keys):
            sign, rest = glued.group(2), glued.group(3).strip()
            written = f"{plainly(glued.group(1)).strip()}: {rest}"
            message = f"there is {said_of(sign)} here" if sign != ":" else "a `:` needs a space after it"
            fix = (Edit(span=key.span, text=written),)
            self.blame("schema-unknown-key", message, key.span, f"write `{written}`", fix=fix, is_sure=True)
            return plainly(glued.group(1)).strip()
        meant = key_meant(name, keys, there)
        if meant is not None and isinstance(value, yaml.Sequence) and not meant[0].endswith("s"):
            meant = None  # several of something stand under a key in the plural
        if meant is None:
            hint = did_you_mean(name, keys)
            if hint is None:
                strangers.append(key)
            else:
                self.blame("schema-unknown-key", f"unknown key `{shown(name)}` in {what}", key.span, hint)
            return None
        at = first_look_alike(name)
        message = f"unknown key `{shown(name)}` in {what}" + (
            f": there is {said_of(name[at])} in it" if at is not None else ""
        )
        fix = (Edit(span=key.span, text=meant[0]),)
        hint = f"did you mean `{meant[0]}`?"
        self.blame("schema-unknown-key", message, key.span, hint, fix=fix, is_sure=meant[1])
        return meant[0]

    def unknown_keys(self, found: Sequence[Scalar], what: str, keys: Sequence[str]) -> None:
        """Blame the keys of one mapping that belong elsewhere, once."""
        if not found:
            return
        names = [f"`{shown(key.text.value)}`" for key in found]
        said = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
        many = "s" if len(names) > 1 else ""
        hint = f"{what} takes {', '.join(keys)}"
        self.blame("schema-unknown-key", f"unknown key{many} {said} in {what}", found[0].span, hint)

    def repaired(self, span: Span) -> Repair | None:
        """Return what is to be mended in a line that was read otherwise than it was meant."""
        plain = Source(self.source.name, self.source.text)
        return repair_of(plain, plain.place(span.start)[0])

    def names(self, node: YamlNode, what: str) -> tuple[YamlNode, ...]:
        """Return the items of a list of names, each where it stands; a list without brackets is one, and blamed."""
        if isinstance(node, Scalar) and isinstance(node.value, str):
            meant = ", ".join(one.strip(" \"'") for one in _PARTED.split(node.text.value) if one.strip())
            self.unfit(node, what, "a list", meant=f"[{meant}]")
            return ()
        found: list[YamlNode] = []
        for item in self.items(node, what):
            parts = _PARTED.split(item.text.value) if isinstance(item, Scalar) else [""]
            if isinstance(item, Scalar) and len(parts) > 1 and all(_WORD.fullmatch(one.strip()) for one in parts):
                sign = _PARTED.findall(item.text.value)[0].strip()
                said = said_of(sign) if first_look_alike(sign) is not None else f"`{sign}`"
                meant = ", ".join(one.strip() for one in parts)
                message = f"{said} does not part the items of a list"
                self.blame(
                    "schema-value", message, item.span, f"write {meant}", fix=(Edit(span=item.span, text=meant),)
                )
                at = 0
                for one in parts:
                    at = item.text.value.index(one, at) + len(one) - len(one.lstrip())
                    positions = item.text.positions[at : at + len(one.strip()) + 1]
                    text = Text(one.strip(), item.text.source, positions)
                    found.append(Scalar(span=item.text.span(at, at + len(text.value)), value=text.value, text=text))
            else:
                found.append(item)
        return tuple(found)

    def items(self, node: YamlNode, what: str) -> tuple[YamlNode, ...]:
        """Return the items of a list."""
        if isinstance(node, yaml.Sequence):
            return node.items
        hint = None
        if isinstance(node, Mapping) and node.entries:
            first = node.entries[0][0]
            head = self.written(first)
            line = self.source.text[first.span.start :].partition("\n")[0].rstrip()
            is_item = {key.text.value for key, _ in node.entries} & _OF_ITEMS
            hint = (
                f"begin each item with `- `: write `- {line}`"
                if is_item
                else f"write `- id: {head}`, and the rest below"
            )
        self.unfit(node, what, "a list", hint)
        return ()

    def text(self, node: YamlNode, what: str) -> str | None:
        """Return a text that says something."""
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            said = f'"{node.text.value}"' if isinstance(node, Scalar) and node.value is not None else None
            self.unfit(node, what, "a string", meant=said if said is not None and len(said) <= _SHOWN else None)
        elif not node.value.strip():
            self.blame("schema-empty", f"{what} is empty", node.span)
        else:
            return node.value
        return None

    def path(self, node: YamlNode, what: str) -> str | None:
        """Return a text that can name a file."""
        said = self.text(node, what)
        if said is not None and "\0" in said:
            self.blame("schema-value", f"`{shown(said)}` is not a path: it contains the character U+0000", node.span)
            return None
        return said

    def condition(self, node: YamlNode, what: str) -> Scalar | None:
        """Return a scalar whose text is a condition; a plain number or bool is one too."""
        if isinstance(node, Scalar) and node.text.value.strip() and node.value is not None:
            return node
        if isinstance(node, Scalar):
            self.blame("schema-empty", f"{what} is empty", node.span)
        else:
            joined = joined_condition(node)
            value = as_value(joined, "", "") if joined is not None else None
            self.unfit(node, what, "a condition", "quote the whole condition", value)
        return None

    def choice(self, node: YamlNode, what: str, values: Iterable[str], why: str | None = None) -> str | None:
        """Return one of a few words; `why` is the hint where it is none."""
        known = list(values)
        if isinstance(node, Scalar) and node.value is not None:
            if node.text.value in known:
                return node.text.value
            said = node.text.value
            meant = choice_meant(said, known) if why is None else None
            hint = why or (f"did you mean `{meant[0]}`?" if meant is not None else f"write {' or '.join(known)}")
            one_of = " or ".join(filter(None, (", ".join(known[:-1]), known[-1])))
            at = first_look_alike(said)
            also = f": there is {said_of(said[at])} in it" if at is not None else ""
            self.blame(
                "schema-value",
                f"{what} must be {one_of}, not `{shown(said)}`{also}",
                node.span,
                hint,
                fix=(Edit(span=node.span, text=meant[0]),) if meant is not None else (),
                is_sure=meant is not None and meant[1],
            )
        else:
            self.unfit(node, what, " or ".join(known), meant=self.only(node))
        return None

    def only(self, node: YamlNode) -> str | None:
        """Return the one item of a list as it was written; None for anything else."""
        if isinstance(node, yaml.Sequence) and len(node.items) == 1 and isinstance(node.items[0], Scalar):
            return self.written(node.items[0])
        return None

    def written(self, node: YamlNode) -> str:
        """Return a part as it stands in the document."""
        return self.source.text[node.span.start : node.span.end]

    def outcome(self, node: YamlNode, what: str, among: Sequence[Outcome] = OUTCOMES) -> Outcome | None:
        """Return an outcome."""
        unheard = False
        if isinstance(node, Scalar) and Outcome.PASS not in among and choice_meant(node.text.value, among) is None:
            meant = choice_meant(node.text.value, OUTCOMES)
            unheard = meant is not None and meant[0] == Outcome.PASS
        why = "leave it out: whatever no rule catches passes; for an exception write `unless:`" if unheard else None
        said = self.choice(node, what, among, why)
        return Outcome(said) if said else None

    def integer(self, node: YamlNode, what: str, limit: int) -> int | None:
        """Return a whole number between `-limit` and `limit`."""
        if not isinstance(node, Scalar) or not isinstance(node.value, int) or isinstance(node.value, bool):
            self.unfit_value(node, what, "an integer", INT, "one whole number, such as 20")
        elif abs(node.value) > limit:
            self.blame("schema-range", f"{what} must be between -{limit:,} and {limit:,}", node.span)
        else:
            return node.value
        return None

    def seconds(self, node: YamlNode, what: str, longest_s: float) -> float | None:
        """Return the seconds of a duration such as `300ms`, more than none and at most `longest_s`."""
        if isinstance(node, Scalar) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
            self.unfit(node, what, "a duration", f"add the unit: {node.text.value}s or {node.text.value}ms")
            return None
        said = self.text(node, what)
        if said is None:
            return None
        try:
            length = parse_duration(said).total_seconds()
        except EvaluationError as error:
            meant = value_meant(node, DURATION) if isinstance(node, Scalar) else None
            hint = f"write {meant.text}" if meant is not None else "for example 300ms or 3s"
            fix = (Edit(span=node.span, text=meant.text),) if meant is not None else ()
            self.blame("schema-value", str(error), node.span, hint, fix=fix)
            return None
        if not 0 < length <= longest_s:
            self.blame("schema-range", f"{what} must be more than 0s and at most {longest_s:g}s", node.span)
            return None
        return length

    def name(self, key: Scalar, what: str) -> str | None:
        """Return a name that a condition can spell."""
        name = key.text.value
        if _NAME.fullmatch(name) and len(name) <= 100:
            return name
        hint = "letters, digits and _, not starting with a digit"
        suggestion = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
        if _NAME.fullmatch(suggestion) and len(suggestion) <= 100:
            hint += f", such as `{suggestion}`"
        fix = (Edit(span=key.span, text=suggestion),) if suggestion in hint else ()
        self.blame("name-invalid", f"`{shown(name)}` cannot be the name of {what}", key.span, hint, fix=fix)
        return None

    def plain(self, node: YamlNode, *, nulls: bool = False) -> object:
        """Return a part as the strings, numbers, lists and dicts that it stands for.

        Raises Refused where it holds something that was blamed, or is blamed here: without `nulls`, an empty value.
        """
        match node:
            case Scalar(value=value):
                if value is None and not nulls:
                    self.blame("schema-empty", "a value is empty", node.span, "write a value, or leave the key out")
                    raise Refused
                return value
            case yaml.Sequence(items=items):
                return [self.plain(item, nulls=nulls) for item in items]
            case Mapping(entries=entries):
                return {key.text.value: self.plain(value, nulls=nulls) for key, value in entries}
            case _:
                raise Refused

    def field_error(self, error: FieldError, node: YamlNode, at: Span) -> None:
        """Keep what is wrong with a field's declaration at the part that its path leads to."""
        span = follow(node, error.path, at, key=error.code == "schema-unknown-key")
        place = whole.span if error.code == "schema-type" and (whole := reached(node, error.path)) is not None else span
        fix = (Edit(span=place, text=error.meant),) if error.meant is not None else ()
        self.blame(error.code, error.message, span, error.hint, fix=fix)


class Refused(Exception):
    """A part holds something that was blamed already."""


def reached(node: YamlNode, path: Iterable[str | int]) -> YamlNode | None:
    """Return the part to which a path through mappings leads; None where it leads nowhere."""
    for step in path:
        found = node.get(str(step)) if isinstance(node, Mapping) else None
        if found is None:
            return None
        node = found
    return node


def follow(node: YamlNode, path: Iterable[str | int], at: Span, *, key: bool = False) -> Span:
    """Return where a path leads: to a single value itself, to the key of a list or mapping, or always to the key.

    at: where the node's own key stands. A path that leads nowhere stops at the last part that is there.
    """
    for step in path:
        if isinstance(node, Mapping):
            found = next(((key, value) for key, value in node.entries if key.text.value == str(step)), None)
            if found is None:
                break
            at, node = found[0].span, found[1]
        elif isinstance(node, yaml.Sequence) and str(step).isdigit() and int(step) < len(node.items):
            node = node.items[int(step)]
            at = node.span
        else:
            break
    return node.span if isinstance(node, Scalar) and node.span.end > node.span.start and not key else at


def kind(node: YamlNode) -> str:
    """Return what a node is, in an author's words."""
    match node:
        case Scalar(value=None):
            return "empty"
        case Scalar(value=bool()):
            return f"the bool {node.text.value}"
        case Scalar(value=int() | float()):
            return f"the number {shown(node.text.value)}"
        case Scalar():
            return "a string"
        case yaml.Sequence():
            return "a list"
        case _:
            return "a mapping"
