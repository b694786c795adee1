"""`adjudge bundle`: policies and their files in one signed archive, which services fetch."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from adjudge.audit.signing import signer_from_file
from adjudge.audit.verify import read_keys
from adjudge.cli.group import FINDINGS, FINE
from adjudge.cli.output import JSON, counted, format_option, print_json, say, say_text
from adjudge.cli.settings import Settings
from adjudge.cli.streams import Undelivered
from adjudge.config.bundles.archive import ARCHIVE_MAX_BYTES, too_large
from adjudge.config.bundles.bundle import look_into, make_bundle, open_bundle, sign_bundle
from adjudge.config.bundles.manifest import COUNTER_MAX, FILES_MAX_BYTES, Manifest, ids_of, manifest_of
from adjudge.errors import BundleRefused, PolicyError, PolicyErrors
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.loading.folder import files_below, is_test_file, policies_below
from adjudge.policy.loading.load import read_policy_file
from adjudge.system.files import replace_file

_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_HEAD_BYTES = 4096


@click.group("bundle")
def command() -> None:
    """Put policies with their files into one signed archive, which services fetch."""


@command.command("make")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--name", required=True, help="What it is called; services ask for it by this name.")
@click.option("--counter", type=click.IntRange(1, COUNTER_MAX), help="Grows each time.  [default: seconds since 1970]")
@click.option("--made-at", type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ"]), help="In UTC.  [default: now]")
@click.option(
    "--fresh-until",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ"]),
    help="When another one should have come, in UTC: services say so then, and go on.",
)
@click.option("--key", "key_file", type=_file, help="The private key that signs it.")
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="[default: NAME.tar.gz]")
@click.option("--no-tests", is_flag=True, help="Do not run the tests beside the policies.")
@click.pass_obj
def make_command(
    settings: Settings,
    folder: Path,
    name: str,
    counter: int | None,
    made_at: datetime | None,
    fresh_until: datetime | None,
    key_file: Path | None,
    to: Path | None,
    no_tests: bool,
) -> int:
    """Make a bundle of all that lies below FOLDER; what is hidden is left out.

    Its policies have to be right, and their tests have to pass. The same files, counter and time make the same bytes.
    Without a --key it is signed later, by `adjudge bundle sign`.
    """
    signers = (signer_from_file(key_file),) if key_file is not None else ()
    catalogue = settings.catalogue()
    policies = _checked(folder, catalogue)
    if not no_tests and not _tested(folder, catalogue):
        return FINDINGS
    at = made_at.replace(tzinfo=UTC) if made_at is not None else datetime.now(UTC).replace(microsecond=0)
    files = _files(folder)
    until = fresh_until.replace(tzinfo=UTC) if fresh_until is not None else None
    manifest = manifest_of(name, counter or int(at.timestamp()), at, files, fresh_until=until)
    to = to or Path(f"{name}.tar.gz")
    _write(to, make_bundle(manifest, files, signers))
    signed = f"signed with {signers[0].key_id}" if signers else "not signed yet"
    said = f"{counted(policies, 'policy').replace('policys', 'policies')}, {counted(len(files), 'file')}"
    say(f"{to}: {name} {manifest.counter}, {said}, {signed}")
    return FINE


@command.command("sign")
@click.argument("bundle", type=_file)
@click.option("--key", "key_file", type=_file, required=True, help="The private key that signs it.")
def sign_command(bundle: Path, key_file: Path) -> int:
    """Add a signature to a bundle, in place of one by the same key."""
    signer = signer_from_file(key_file)
    _write(bundle, sign_bundle(_read(bundle), signer))
    say(f"{bundle}: signed with {signer.key_id}")
    return FINE


@command.command("verify")
@click.argument("bundle", type=_file)
@click.option(
    "--key", "keys", type=_file, multiple=True, required=True, help="A public key that is trusted; repeatable."
)
@click.option("--name", help="What it has to be called.")
@format_option
def verify_command(bundle: Path, keys: tuple[Path, ...], name: str | None, form: str) -> int:
    """Open a bundle as a service does: its signature, its name, and every file."""
    opened = open_bundle(_read(bundle), _trusted(keys), name)
    if form == JSON:
        print_json({**_facts(opened.manifest), "key": opened.key, "sha256": opened.sha256})
    else:
        files = counted(len(opened.files), "file")
        say(f"{bundle}: {opened.name} {opened.manifest.counter}, {files}, signed with {opened.key}: ok")
    return FINE


@command.command("show")
@click.argument("bundle", type=_file)
@format_option
def show_command(bundle: Path, form: str) -> int:
    """Show what a bundle says of itself; nobody vouches for that until it is verified."""
    manifest, signatures = look_into(_read(bundle))
    keys = [one.key for one in signatures.signatures]
    if form == JSON:
        print_json({**_facts(manifest), "signed_by": keys})
        return FINE
    say(f"{manifest.bundle} {manifest.counter}, made at {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC")
    if manifest.fresh_until is not None:
        say(f"fresh until {manifest.fresh_until:%Y-%m-%d %H:%M:%S} UTC")
    say(f"signed with {', '.join(keys)}" if keys else "not signed")
    for entry in manifest.files:
        say(f"{entry.bytes:>10,}  {entry.sha256[:12]}  {entry.name}")
    return FINE


def _facts(manifest: Manifest) -> dict[str, object]:
    facts: dict[str, object] = msgspec.to_builtins(manifest)
    return facts


def _checked(folder: Path, catalogue: Catalogue) -> int:
    """Return how many policies there are. Raises PolicyErrors with everything that is wrong with them."""
    policies = policies_below(folder)
    errors: list[PolicyError] = []
    for file in policies:
        try:
            read_policy_file(file, catalogue)
        except PolicyErrors as found:
            errors += found.errors
    if errors:
        raise PolicyErrors(errors)
    return len(policies)


def _tested(folder: Path, catalogue: Catalogue) -> bool:
    """Run the tests, say what failed, and return whether all passed. Raises PolicyErrors for tests that are none."""
    from adjudge.authoring.policy_tests.cases import read_tests
    from adjudge.authoring.policy_tests.testing import run

    failed = [
        result
        for file in files_below(folder)
        if is_test_file(file)
        for result in run(read_tests(file, catalogue))
        if not result.passed
    ]
    for result in failed:
        say_text(f"{result.render()}\n")
    if failed:
        say(f"{counted(len(failed), 'test')} failed, so no bundle was made; --no-tests makes one all the same")
    return not failed


def _files(folder: Path) -> Mapping[str, bytes]:
    """Return the files below a folder, by their names in a bundle. Raises BundleRefused for too much of them."""
    files: dict[str, bytes] = {}
    left = FILES_MAX_BYTES
    for file in files_below(folder):
        with file.open("rb") as stream:
            data = stream.read(left + 1)
        if len(data) > left:
            raise BundleRefused(f"the files below {folder} have more than {FILES_MAX_BYTES // 2**20} MiB together")
        if b"PRIVATE KEY-----" in data[:_HEAD_BYTES]:
            raise BundleRefused(f"{file} holds a private key, which whoever gets the bundle would have")
        files[file.relative_to(folder).as_posix()], left = data, left - len(data)
    return files


def _trusted(files: tuple[Path, ...]) -> dict[str, bytes]:
    keys: list[bytes] = []
    for file in files:
        try:
            keys += read_keys(file.read_text("ascii", errors="replace"))
        except ValueError as error:
            raise click.UsageError(f"{file}: {error}") from None
    return ids_of(keys)


def _read(bundle: Path) -> bytes:
    with bundle.open("rb") as stream:
        data = stream.read(ARCHIVE_MAX_BYTES + 1)
    if len(data) > ARCHIVE_MAX_BYTES:
        raise too_large()
    return data


def _write(to: Path, data: bytes) -> None:
    try:
        replace_file(to, data)
    except OSError as error:
        raise Undelivered(to, error) from None
