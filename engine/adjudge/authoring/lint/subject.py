"""A policy as the linter's rules see it: what each condition reads, where names are declared, and today's date."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cached_property

from adjudge.authoring.lint.finding import LintFinding, Severity
from adjudge.expr.nodes import LISTS, Node, list_name, names_in
from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.policy.explaining.messages import PLACEHOLDER
from adjudge.policy.slots import is_within
from adjudge.policy.text import yaml
from adjudge.policy.text.yaml import YamlNode, read_yaml
from adjudge.policy.typed import TypedPolicy
from adjudge.policy.written_rows import conditions_written
from adjudge.source import Edit, Joined, Sheet, Source, Span
from adjudge.values.types import MapType, SetType

_INPUT = late(r"(?<![\w.])inputs\.([A-Za-z_]\w*)", re.ASCII)


@frozen(slots=False)
class LintedPolicy:
    """What is looked at. has_tests: whether tests stand beside the policy; None where nobody looked."""

    typed: TypedPolicy
    today: date
    has_tests: bool | None = None

    @cached_property
    def named(self) -> frozenset[str]:
        """Every name that a rule or row reads, through variables too, and every field in a text."""
        return self.in_texts.union(*map(self.typed.reads.names, self.typed.conditions))

    @cached_property
    def conditions(self) -> tuple[Node, ...]:
        """The conditions of rules, of rows of scorecards as they are written, and of excuses."""
        return conditions_written(self.typed)

    @cached_property
    def in_texts(self) -> frozenset[str]:
        """The fields that stand in messages and reasons' texts."""
        texts = [text for rule in self.typed.rules for text in rule.message.values()]
        texts += [text for reason in self.typed.reasons.values() for text in reason.text.values()]
        return frozenset(found.group(1) for text in texts for found in PLACEHOLDER.finditer(text) if found.group(1))

    @cached_property
    def in_withs(self) -> Mapping[str, frozenset[str]]:
        """The inputs that stand in the `with:` of signals, such as `inputs.email`, by signal."""
        return {
            name: frozenset(found for text in _texts(signal.config) for found in _INPUT.findall(text))
            for name, signal in self.typed.signals.items()
        }

    def reads_owner(self, owner: str) -> bool:
        """Whether anything of an input or signal is read."""
        parts = self.typed.parts
        return any(is_within(name, owner) or (name in parts and str(parts[name].whole) == owner) for name in self.named)

    @cached_property
    def vocabularies(self) -> tuple[tuple[str, Span, Mapping[tuple[str, ...], list[str]]], ...]:
        """The full names of sets and keyed maps by their vocabulary, for each signal and input, with its place."""
        owners = [(name, signal.span, f"{name}.", signal.fields) for name, signal in self.typed.signals.items()]
        owners += [(name, self.at("inputs", name), "", {name: field}) for name, field in self.typed.inputs.items()]
        found = []
        for owner, span, prefix, fields in owners:
            words: dict[tuple[str, ...], list[str]] = {}
            for name, declared in fields.items():
                if isinstance(declared.type, SetType | MapType) and declared.vocabulary:
                    words.setdefault(declared.vocabulary, []).append(prefix + name)
            found.append((owner, span, words))
        return tuple(found)

    @cached_property
    def sources(self) -> tuple[tuple[int, Source], ...]:
        """The policy's files, and where each begins in the joined text."""
        source = self.typed.source
        return source.parts if isinstance(source, Joined) else ((0, source),)

    @cached_property
    def documents(self) -> tuple[tuple[int, Source, YamlNode], ...]:
        """The policy's files with where each begins and what stands in it."""
        read = (
            (begins, source, read_yaml(source)[0]) for begins, source in self.sources if not isinstance(source, Sheet)
        )
        return tuple((begins, source, root) for begins, source, root in read if root is not None)

    @cached_property
    def declared(self) -> Mapping[tuple[str, str], tuple[Span, Span]]:
        """Where the entries of sections stand: of the key, and of the whole entry."""
        places: dict[tuple[str, str], tuple[Span, Span]] = {}
        for begins, source, root in self.documents:
            for section, node in root.entries if isinstance(root, yaml.Mapping) else ():
                for key, value in node.entries if isinstance(node, yaml.Mapping) else ():
                    whole = Span(key.span.start + begins, _end(source.text, value) + begins)
                    span = Span(key.span.start + begins, key.span.end + begins)
                    places.setdefault((section.text.value, key.text.value), (span, whole))
        return places

    def finding(
        self,
        code: str,
        severity: Severity,
        message: str,
        span: Span,
        hint: str | None = None,
        fix: tuple[Edit, ...] = (),
    ) -> LintFinding:
        """Return a finding in this policy."""
        return LintFinding(
            code=code, severity=severity, message=message, source=self.typed.source, span=span, hint=hint, fix=fix
        )

    def at(self, section: str, name: str) -> Span:
        """Return where a name is declared."""
        return self.declared.get((section, name), (Span(0, 0), Span(0, 0)))[0]

    def is_own(self, section: str, name: str) -> bool:
        """Whether a name is declared in the policy's own file, not in a fragment that others may include, too."""
        return self.at(section, name).end <= len(self.sources[0][1].text)

    def without(self, section: str, name: str) -> tuple[Edit, ...]:
        """Return the edit that deletes a declaration which has lines of its own.

        None where it has not, where a variable still reads it, or where no entry that is used stays in its section of
        this file: an empty section would be an error.
        """
        text = self.sources[0][1].text
        key, whole = self.declared.get((section, name), (Span(0, 0), Span(0, 0)))
        full = list_name if section == LISTS else str
        stays = any(
            full(other) in self.named and at.end <= len(text)
            for (of, other), (_, at) in self.declared.items()
            if of == section
        )
        is_read = full(name) in names_in(*self.typed.variables.values())
        if key.end <= key.start or whole.end > len(text) or not stays or is_read:
            return ()
        start = text.rfind("\n", 0, whole.start) + 1
        end = text.find("\n", whole.end)
        end = len(text) if end < 0 else end + 1
        rest = text[whole.end : end].strip()
        if text[start : whole.start].strip() or (rest and not rest.startswith("#")):
            return ()
        return (Edit(span=Span(start, end), text=""),)


def _texts(config: object) -> Iterator[str]:
    """Yield the texts of a `with:`, but those under `paths`, which look into an answer."""
    match config:
        case str():
            yield config
        case Mapping():
            for key, value in config.items():
                if key != "paths":
                    yield from _texts(value)
        case list() | tuple():
            for item in config:
                yield from _texts(item)


def _end(text: str, node: YamlNode) -> int:
    """Return where a value ends; the parser lets one in block style reach to what follows, over comments too."""
    match node:
        case yaml.Mapping(entries=entries) if entries and text[node.span.start] != "{":
            return _end(text, entries[-1][1])
        case yaml.Sequence(items=items) if items and text[node.span.start] != "[":
            return _end(text, items[-1])
        case _:
            return node.span.start + len(text[node.span.start : node.span.end].rstrip())
