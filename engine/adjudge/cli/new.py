"""`adjudge new`: a policy to begin with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

import click

from adjudge.authoring.scaffold.build import Answers, Build, build
from adjudge.cli.files import write_file
from adjudge.cli.group import FINE
from adjudge.cli.output import say
from adjudge.cli.settings import Settings

SUPPLIED = "none"
BUILDS = ("none", "github", "gitlab")


@click.command("new")
@click.argument("name", required=False)
@click.option("--provider", help="Who is asked for the first signal; none: the caller supplies it.")
@click.option("--signal", help="What to call the first signal.")
@click.option("--input", "inputs", multiple=True, help="A text that the caller knows; may be given several times.")
@click.option(
    "--ci", "build_", type=click.Choice(["none", "github", "gitlab"]), help="Write a check for pull requests."
)
@click.option("--dir", "folder", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Where to.")
@click.option("--yes", is_flag=True, help="Ask nothing; take what is usual for what was not said.")
@click.pass_obj
def command(
    settings: Settings,
    name: str | None,
    provider: str | None,
    signal: str | None,
    inputs: tuple[str, ...],
    build_: str | None,
    folder: Path,
    yes: bool,
) -> int:
    """Start a policy: the policy, its tests, and a check for pull requests.

    What is not said is asked for. Nothing is overwritten.
    """
    providers = settings.catalogue().providers
    usual = "aliyun.deepfake" if "aliyun.deepfake" in providers else SUPPLIED

    def ask(question: str, usually: str) -> str:
        return usually if yes else str(click.prompt(question, default=usually))

    name = name or ask("the policy's name", "face-onboarding")
    provider = provider or ask(f"provider of the first signal ({', '.join(sorted(providers))}, or {SUPPLIED})", usual)
    signal = signal or ask("what to call the signal", "deepfake" if provider == "aliyun.deepfake" else "face")
    if not inputs:
        said = ask("inputs that the caller knows, with commas between", "country")
        inputs = tuple(part.strip() for part in said.split(",") if part.strip())
    build_ = build_ or ask("a check for pull requests (none, github, gitlab)", "none")
    if build_ not in BUILDS:
        raise click.UsageError(f"a check for pull requests must be none, github or gitlab, not {build_}")
    answers = Answers(
        name=name,
        provider=None if provider == SUPPLIED else provider,
        signal=signal,
        inputs=inputs,
        build=cast(Build, build_),
    )
    files = {folder / path: text for path, text in build(answers, providers).items()}
    there = [path for path in files if os.path.lexists(path)]
    if there:
        raise click.UsageError(f"{there[0]} already exists; nothing was written")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, text)
        say(f"wrote {path}")
    policy = folder / f"{name}.yaml"
    say("", f"next: adjudge check {policy}; adjudge test {policy}; adjudge analyse {policy}")
    return FINE
