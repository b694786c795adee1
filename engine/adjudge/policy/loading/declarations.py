"""What a policy declares: inputs and signals with their fields, and the names that are taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import cast

from adjudge.errors import FieldError, PluginError, did_you_mean
from adjudge.expr.functions import LATER
from adjudge.expr.nodes import LISTS
from adjudge.expr.parse import MACROS
from adjudge.expr.tokens import KEYWORDS, RESERVED
from adjudge.frozen import frozen
from adjudge.plugin import Provider, ProviderConfigError
from adjudge.plugin.offers import unfit_fields
from adjudge.policy.loading.forms import Entries, SignalForm
from adjudge.policy.loading.reader import Reader, Refused, follow
from adjudge.policy.text import yaml
from adjudge.policy.text.syntax import shown
from adjudge.policy.text.yaml import Scalar, YamlNode
from adjudge.policy.typed import SignalDeclaration
from adjudge.system.faults import is_operators, said_of
from adjudge.values.declared import parse_field
from adjudge.values.fields import Field
from adjudge.values.types import DYN, STRING, ListType, MapType, Type

TEXTS = ListType(STRING)
DAMAGED_SIGNAL = MapType(STRING, DYN)


@frozen
class Declarations:
    """Reads what one policy declares.

    contested: providers that are nobody's, as in the Catalogue.
    names: the types of what was declared wrongly, as far as anybody reads it: dyn, so that it is blamed once.
    """

    reader: Reader
    functions: Iterable[str]
    contested: Mapping[str, str] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    names: dict[str, Type] = field(default_factory=dict)

    def claim(self, key: Scalar, what: str) -> str | None:
        """Return the name that a key gives to an input, signal or variable, unless it is none or is taken."""
        name = self.reader.name(key, what)
        if name is None:
            return None
        owner = self.taken.get(name) or self.reserved(name)
        if owner is not None:
            hint = f"choose another name for this {what.split()[-1]}"
            self.reader.blame("name-taken", f"`{name}` is taken: it is {owner}", key.span, hint)
            return None
        self.taken[name] = f"{what} ({self.reader.source.line_at(key.span.start)})"
        return name

    def reserved(self, name: str) -> str | None:
        """Return what a name means to every policy, or None."""
        if name in ("now", LISTS):
            return "a name of the language"
        if name in KEYWORDS or name in RESERVED:
            return "a word of the language"
        is_function = name in self.functions and name not in LATER
        return "a function" if is_function or name in MACROS or name == "has" else None

    def inputs(self, entries: Entries) -> dict[str, Field]:
        """Return the inputs that could be read."""
        fields = {}
        for key, node in entries.values():
            name = self.claim(key, "an input")
            declared = self.field(node, key)
            if name is not None and declared is not None:
                self.without_within(declared, node, "an input")
                fields[name] = declared
            elif name is not None:
                self.names[name] = DYN
        return fields

    def without_within(self, declared: Field, node: YamlNode, what: str) -> None:
        """Blame a `within:` where there is no answer that it could be found in."""
        if declared.within is not None:
            hint = "delete `within`: `absent` applies whenever the field's object came"
            message = f"`within` needs a provider's answer, and this is {what}"
            self.reader.blame("schema-absent", message, follow(node, ("within",), node.span), hint)

    def field(self, node: YamlNode, key: Scalar) -> Field | None:
        """Return a field's declaration."""
        try:
            return parse_field(self.reader.plain(node))
        except FieldError as error:
            self.reader.field_error(error, node, key.span)
        except Refused:
            pass
        return None

    def signals(self, forms: Iterable[SignalForm], providers: Mapping[str, Provider]) -> dict[str, SignalDeclaration]:
        """Return the signals that could be read."""
        signals = {}
        for form in forms:
            name = self.claim(form.key, "a signal")
            declared = self.signal(name or form.key.text.value, form, providers)
            if name is not None and declared is not None:
                signals[name] = declared
            elif name is not None:
                self.names[name] = DAMAGED_SIGNAL
        return signals

    def signal(self, name: str, form: SignalForm, providers: Mapping[str, Provider]) -> SignalDeclaration | None:
        """Return a signal; None where its fields cannot be known."""
        before = len(self.reader.errors)
        provider = self.provider(form.provider, providers) if form.provider is not None else None
        config = self.config(form.config) if form.config is not None else {}
        is_derived = provider is not None and provider.derive is not None
        fields = self.derived(provider, config, form) if is_derived else self.fields(name, form, provider)
        if form.damaged or fields is None or (form.provider is not None and provider is None):
            return None
        if provider is not None and len(self.reader.errors) == before:
            self.check(provider, config, fields, form)
        return SignalDeclaration(
            name=name,
            provider=provider.name if provider is not None else None,
            config=config,
            fields=fields,
            timeout_s=form.timeout_s,
            when_unknown=form.when_unknown,
            when_billing_unknown=form.when_billing_unknown,
            span=form.key.span,
        )

    def config(self, node: YamlNode) -> dict[str, object]:
        """Return what stands under `with:`."""
        try:
            config = self.reader.plain(node, nulls=True)
        except Refused:
            return {}
        if isinstance(config, dict):
            return config
        self.reader.unfit(node, "`with`", "a mapping")
        return {}

    def provider(self, said: Scalar, providers: Mapping[str, Provider]) -> Provider | None:
        """Return the provider that is meant."""
        name = said.text.value
        if name not in providers:
            hint = did_you_mean(name, providers)
            if hint is None:
                known = ", ".join(sorted(providers)[:8])
                hint = f"installed are {known}" if known else "no plugin that offers providers is installed"
            hint = self.contested.get(name, hint)
            self.reader.blame("name-provider", f"there is no provider `{shown(name)}`", said.span, hint)
        return providers.get(name)

    def fields(self, name: str, form: SignalForm, provider: Provider | None) -> Mapping[str, Field] | None:
        """Return a signal's fields from where they are declared, with dyn in `names` for each that was blamed."""
        if provider is not None and provider.fields is not None:
            if form.fields is not None:
                hint = f"delete `fields:`; it has {', '.join(provider.fields)}"
                message = f"`{provider.name}` declares its fields itself"
                self.reader.blame("schema-provider", message, form.fields.span, hint)
            return provider.fields
        if form.fields is None:
            if provider is not None and not form.damaged:
                hint = "write `fields:` with what its answer holds"
                message = f"the policy must declare the fields of `{provider.name}`"
                self.reader.blame("schema-missing", message, form.key.span, hint)
            return None
        if isinstance(form.fields, yaml.Mapping) and not form.fields.entries:
            self.reader.blame("schema-empty", "`fields` is empty", form.fields.span, "declare what the signal says")
        entries = self.reader.mapping(form.fields, "`fields`", at=form.key.span)
        fields = {}
        if isinstance(form.fields, yaml.Mapping):
            left_out = (key.text.value for key, _ in form.fields.entries if key.text.value not in entries)
            self.names.update(dict.fromkeys((f"{name}.{one}" for one in left_out), DYN))
        for key, node in entries.values():
            field_name = self.reader.name(key, "a field")
            if field_name is not None and field_name in KEYWORDS | RESERVED:
                hint = "choose another name for this field"
                self.reader.blame(
                    "name-taken", f"`{field_name}` is taken: it is a word of the language", key.span, hint
                )
            declared = self.field(node, key)
            if field_name is not None and declared is not None:
                if provider is None:
                    self.without_within(declared, node, "a signal that the caller supplies")
                fields[field_name] = declared
            else:
                self.names[f"{name}.{key.text.value}"] = DYN
        return fields if isinstance(form.fields, yaml.Mapping) and (fields or not form.fields.entries) else None

    def derived(
        self, provider: Provider | None, config: dict[str, object], form: SignalForm
    ) -> Mapping[str, Field] | None:
        """Return the fields that a provider makes of its `with:`; none where it has refused it."""
        assert provider is not None and provider.derive is not None
        before = len(self.reader.errors)
        if form.fields is not None:
            message = f"`{provider.name}` makes its fields from `with:`"
            self.reader.blame("schema-provider", message, form.fields.span, "delete `fields:`")
        derive = provider.derive
        fields: dict[str, Field] = {}

        def make() -> None:
            made: object = derive(config)
            if (wrong := unfit_fields(made)) is not None:
                raise TypeError(wrong)
            fields.update(cast(Mapping[str, Field], made))

        self.guarded(provider, form, make)
        for word in sorted(fields.keys() & (KEYWORDS | RESERVED)):
            message = f"`{word}` cannot be a field: it is a word of the language"
            self.reader.blame(
                "name-taken",
                message,
                follow(form.config, (word,), form.key.span) if form.config is not None else form.key.span,
                "choose another name",
            )
        return fields if len(self.reader.errors) == before else None

    def check(
        self, provider: Provider, config: dict[str, object], fields: Mapping[str, Field], form: SignalForm
    ) -> None:
        """Let a provider look at its `with:`."""
        self.guarded(provider, form, lambda: provider.check(config, fields))

    def guarded(self, provider: Provider, form: SignalForm, look: Callable[[], None]) -> None:
        """Run a provider's own code on its `with:`; what it refuses is blamed where it stands."""
        try:
            look()
        except ProviderConfigError as error:
            at = form.provider.span if form.provider is not None else form.key.span
            span = follow(form.config, error.path, at) if form.config is not None else at
            self.reader.blame("schema-provider", error.message, span, error.hint)
        except BaseException as error:
            if is_operators(error):
                raise
            raise PluginError(f"its check of `with:` failed: {said_of(error)}", plugin=provider.name) from error
