"""`adjudge plugins`: what is installed, what it provides, what failed to load."""

from __future__ import annotations

from collections.abc import Iterator

import click

from adjudge.cli.group import FINDINGS, FINE
from adjudge.cli.output import JSON, format_option, print_json, say_text
from adjudge.cli.settings import Settings
from adjudge.plugin import Function, Provider
from adjudge.registry import Plugin, Registry
from adjudge.texts import lines_of
from adjudge.values.fields import Field
from adjudge.values.recorded import form_of


@click.command("plugins")
@format_option
@click.pass_obj
def command(settings: Settings, form: str) -> int:
    """Show what is installed and what it provides.

    Exit status 1 where a plugin failed to load, or several offer one name.
    """
    registry = settings.registry()
    if form == JSON:
        print_json([_data(registry, plugin) for plugin in registry.plugins])
    else:
        say_text("\n\n".join(lines_of(_lines(registry, plugin)) for plugin in registry.plugins) or "no plugins")
    return FINDINGS if registry.contested() or any(plugin.error for plugin in registry.plugins) else FINE


def _lines(registry: Registry, plugin: Plugin) -> Iterator[str]:
    package = f"  ({plugin.distribution})" if plugin.distribution else ""
    yield f"{plugin.name}{package}" + (f"  failed: {plugin.error}" if plugin.error else "")
    for kind, name in plugin.offers:
        if (refusal := registry.refusal(kind, name, plugin.name)) is not None:
            yield f"  {kind} {name}  refused: {refusal}"
            continue
        thing = registry.offered(kind)[name]
        match thing:
            case Provider():
                price = f", {thing.price} {thing.currency} a call" if thing.billed else ""
                yield f"  provider {name}, version {thing.version}{price}: {thing.description}"
                yield from _field_lines(thing)
            case Function():
                yield f"  function {name}({', '.join(thing.parameters)}) → {thing.result}: {thing.description}"
            case click.Command():
                yield f"  command {name}: {thing.get_short_help_str(100)}"
            case _:
                yield f"  {kind} {name}"


def _field_lines(provider: Provider) -> Iterator[str]:
    if provider.fields is None:
        said = "follow from its `with:`" if provider.derive else "are declared by the policy"
        yield f"    its fields {said}"
        return
    width = max((len(name) for name in provider.fields), default=0)
    for name, field in provider.fields.items():
        yield f"    {name:<{width}}  {_type(field)}" + (f"  {field.description}" if field.description else "")


def _type(field: Field) -> str:
    form = form_of(field)
    said = str(form["type"])
    if field.vocabulary:
        said += f" of {', '.join(field.vocabulary)}"
    if field.of is not None:
        said += f"{':' if field.vocabulary else ' of'} {_type(field.of)}"
    return said + (f" in {form['range']}" if "range" in form else "")


def _data(registry: Registry, plugin: Plugin) -> dict[str, object]:
    offers: list[dict[str, object]] = []
    for kind, name in plugin.offers:
        refusal = registry.refusal(kind, name, plugin.name)
        thing = registry.offered(kind)[name] if refusal is None else None
        offer: dict[str, object] = {"kind": kind, "name": name, **({"refused": refusal} if refusal else {})}
        if isinstance(thing, Provider):
            fields = None if thing.fields is None else {name: form_of(field) for name, field in thing.fields.items()}
            offer |= {
                "version": thing.version,
                "description": thing.description,
                "fields": fields,
                "reads": sorted(thing.reads),
                "price": str(thing.price),
                "currency": thing.currency,
                "latency_s": thing.latency_s,
            }
        elif isinstance(thing, Function):
            offer |= {"parameters": list(thing.parameters), "result": thing.result, "description": thing.description}
        offers.append(offer)
    return {"name": plugin.name, "distribution": plugin.distribution, "error": plugin.error, "offers": offers}
