"""Commands whose options are given once: of two values for one option, the first is never dropped in silence."""

from __future__ import annotations

import click


class Once(click.Command):
    """A command that refuses an option given twice, unless it may be given several times."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments. Raises UsageError."""
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        single = [one for one in given if isinstance(one, click.Option) and not (one.multiple or one.is_flag)]
        for option in single:
            if single.count(option) > 1:
                raise click.UsageError(f"{option.opts[-1]} is given {single.count(option)} times: give it once", ctx)
        return super().parse_args(ctx, args)
