"""Options that are given once: of two values for one option, the first is never dropped in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import click


def check_once(command: click.Command, arguments: Sequence[str], parent: click.Context) -> None:
    """Refuse an option that is given twice and can have one value, of a command and of the one within it.

    What is wrong with the arguments otherwise is left to whoever reads them. Raises UsageError.
    """
    context = click.Context(command, info_name=command.name, parent=parent, **command.context_settings)
    context.resilient_parsing = True  # nothing is asked for, and no help is printed
    try:
        _, rest, given = command.make_parser(context).parse_args(list(arguments))
    except click.UsageError:
        return
    counts = Counter(one for one in given if isinstance(one, click.Option) and _has_one_value(one))
    for option, times in counts.items():
        if times > 1:
            raise click.UsageError(f"{option.opts[-1]} is given {times} times: give it once", context)
    if isinstance(command, click.Group) and rest:
        inner = command.get_command(context, rest[0])
        if inner is not None:
            check_once(inner, rest[1:], context)


def _has_one_value(option: click.Option) -> bool:
    return not (option.multiple or option.is_flag or option.count)
