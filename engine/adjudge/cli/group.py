"""The command `adjudge`: its subcommands, each loaded when it is run, and what becomes of their errors."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import click

from adjudge.cli.once import check_once
from adjudge.cli.output import say, say_text
from adjudge.cli.settings import Settings
from adjudge.cli.streams import NOT_WRITTEN, UNDELIVERED, Undelivered, standard_streams
from adjudge.errors import (
    AdjudgeError,
    AuditBroken,
    EvaluationError,
    MerchantBizIdConflict,
    NothingRead,
    PolicyError,
    PolicyErrors,
    ReplayMismatch,
)
from adjudge.texts import lines_of, without_passwords
from adjudge.values.reading import is_unicode

FINE, FINDINGS, WRONG, FAULT, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit statuses: nothing to report; findings; a mistake in what we were given; a fault of ours; Ctrl-C.

`UNDELIVERED`, 4, is that of a result that could not be written.
"""

COMMANDS: Mapping[str, str] = {
    "demo": "Decide sample requests, then verify and replay the log.",
    "decide": "Decide a request, or many of them.",
    "proposal": "Propose new versions of policies; look at them, approve and activate them.",
    "rollout": "Start, ramp, promote and abort rollouts, and say how they stand.",
    "review": "Say what waits for a person, and claim, note and decide it.",
    "serve": "Serve the engine of a configuration over HTTP.",
    "keys": "Make, list and revoke the keys of a service.",
    "top": "Show what a service does, live: rates, outcomes, providers, budgets.",
    "eval": "Evaluate a condition.",
    "check": "Find mistakes in policies and their tests, and what deserves a look.",
    "test": "Run the tests beside policies.",
    "new": "Start a policy: the policy, its tests, and a check for pull requests.",
    "schema": "Print the JSON Schema of a policy, with the providers that are installed here.",
    "format": "Format policies and their tests.",
    "table": "Bring a policy's tables into spreadsheets, and back.",
    "lsp": "Serve an editor over standard input and output, for writing policies.",
    "analyse": "Prove what a policy can and cannot do, over every possible input.",
    "compare": "Say whether NEW is stricter than OLD, laxer, both or the same, where, and with which inputs.",
    "explain": "Say why a logged decision came out as it did, and the smallest changes that would have softened it.",
    "backtest": "Run policies over past decisions: counts, frauds caught, what changes.",
    "tune": "Find thresholds for a target, and show them as a change for a person to accept.",
    "replay": "Make a log's decisions again.",
    "bundle": "Put policies with their files into one signed archive, which services fetch.",
    "audit": "Verify, read, export, label, erase in and archive an audit log, and find what drifts.",
    "plugins": "Show what is installed and what it provides.",
}
"""Each is `command` in the module of its name; the text is the first line of its help."""

POSIX_ONLY = frozenset({"fcntl", "pwd"})
"""Modules that the audit log imports, and that Windows lacks."""

_FINDINGS = (AuditBroken, EvaluationError, MerchantBizIdConflict, NothingRead, ReplayMismatch)


class Commands(click.Group):
    """Built-in commands by name, imported when needed, and those of plugins."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return all names, the built-in ones first."""
        return [*COMMANDS, *(name for name in _plugins_commands(context) if name not in COMMANDS)]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return a command; plugins are looked at only for a name that is not built in."""
        if name in COMMANDS:
            command: click.Command = importlib.import_module(f"adjudge.cli.{name}").command
            return command
        return _plugins_commands(context).get(name)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return a command and its arguments, which are looked over for what is true of every command's."""
        name, command, rest = super().resolve_command(context, args)
        if command is not None:
            check_once(command, rest, context)
        return name, command, rest

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing the built-in ones."""
        of_plugins = _plugins_commands(context)
        rows = list(COMMANDS.items())
        rows += [(name, command.get_short_help_str(80)) for name, command in of_plugins.items() if name not in COMMANDS]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]  # it never returns, whatever it is asked for
        """Run a command and end the process: errors become one message and a status."""
        with standard_streams():
            status = self._status(args, prog_name, extra)
        sys.exit(status)

    def _status(self, args: Sequence[str] | None, prog_name: str | None, extra: dict[str, Any]) -> int:
        """Run a command, say what went wrong, and return the exit status."""
        try:
            status = super().main(args=args, prog_name=prog_name, **{**extra, "standalone_mode": False})
            sys.stdout.flush()
        except click.ClickException as error:
            object.__setattr__(error, "message", without_passwords(error.message))  # final by its stubs
            error.show()
            return UNDELIVERED if isinstance(error, Undelivered) else WRONG
        except (click.Abort, KeyboardInterrupt):
            return INTERRUPTED
        except AdjudgeError as error:
            say_text(without_passwords(render_error(error)), err=True)
            return status_of(error)
        except OSError as error:
            name = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
            say(f"error[file]: {name}{(error.strerror or str(error)).lower()}", err=True)
            return UNDELIVERED if error.errno in NOT_WRITTEN else WRONG
        except Exception as error:
            odd = [one for one in (sys.argv[1:] if args is None else args) if not is_unicode(one)]
            if isinstance(error, UnicodeEncodeError) and odd:  # paths may be; texts that are written may not
                say(f"Error: the argument {odd[0]} is not UTF-8", err=True)
                return WRONG
            if isinstance(error, ModuleNotFoundError) and error.name in POSIX_ONLY:
                say("Error: an audit log needs Linux or macOS; on Windows, use WSL 2", err=True)
                return WRONG
            traceback.print_exc()
            say("this is a bug in adjudge; please report it with the lines above", err=True)
            return FAULT
        return status if isinstance(status, int) else FINE


def _plugins_commands(context: click.Context) -> dict[str, click.Command]:
    settings: Settings = context.ensure_object(Settings)
    offered = settings.registry().offered("command")
    return {name: command for name, command in sorted(offered.items()) if isinstance(command, click.Command)}


def status_of(error: AdjudgeError) -> int:
    """Return the exit status that an error deserves."""
    return FINDINGS if isinstance(error, _FINDINGS) else WRONG


def render_error(error: AdjudgeError) -> str:
    """Return an error as a person reads it."""
    if isinstance(error, PolicyError | PolicyErrors):
        return error.render()
    hint = getattr(error, "hint", None)
    return lines_of([f"error[{error.code}]: {error}", *([f"   hint: {hint}"] if hint else [])])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="adjudge", message="adjudge %(version)s")
@click.option("--verbose", is_flag=True, help="Show operational events too, not only warnings.")
@click.option("--strict-plugins", is_flag=True, help="Stop at a plugin that fails. Also ADJUDGE_STRICT_PLUGINS=1.")
@click.pass_context
def adjudge(context: click.Context, verbose: bool, strict_plugins: bool) -> None:
    """Decide pass, review or reject from what is known and what is not, and record why.

    Exit status: 0 fine, 1 findings, 2 a mistake in what was given, 3 a fault of adjudge, 4 a result that could not be
    written.

    ADJUDGE_PLUGINS=a,b loads these plugins only; ADJUDGE_TRACE_PLUGINS=1 tells how each fared.
    """
    settings: Settings = context.ensure_object(Settings)
    settings.strict_plugins = settings.strict_plugins or strict_plugins
    settings.verbose = verbose
