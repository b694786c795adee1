"""Where the AccessKey comes from: the environment, a file that may change, or a plugin that rotates it.

It is read again for every call, so that a key which was changed counts at once. Nothing here shows it.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adjudge.plugin import ProviderConfigError, SecretSource, SignalFailed, split_lines
from adjudge_plugins.aliyun.endpoint import Endpoint
from adjudge_plugins.aliyun.signing import SANDBOX_CREDENTIALS, Credentials
from adjudge_plugins.settings import mapping, refuse_unknown_keys, text

KEYS = ("file", "profile", "plugin")
PROFILE = "default"
FILE_MAX_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """The `credentials:` of a policy: a file's path and profile, or the name that a plugin gave its source.

    Without either, the vendor's environment variables count: the key itself, or ALIBABA_CLOUD_CREDENTIALS_FILE.
    """

    file: str | None = None
    profile: str = PROFILE
    plugin: str | None = None

    async def read(self, endpoint: Endpoint, secrets: Mapping[str, SecretSource]) -> Credentials:
        """Return the key that counts now. Raises SignalFailed of kind `misconfigured` where there is none.

        A sandbox on this machine takes its own documented key where no other is given.
        """
        if self.plugin is not None:
            return await _from_plugin(self.plugin, secrets)
        found = _from_file(Path(self.file), self.profile) if self.file is not None else _from_environment(self.profile)
        if found is None and endpoint.is_loopback:
            return SANDBOX_CREDENTIALS
        if found is None:
            said = "no AccessKey: set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET"
            raise _missing(said)
        return found


def read_keyring(config: Mapping[str, Any]) -> Keyring:
    """Read `credentials:`. Raises ProviderConfigError; a key itself has no place in a policy."""
    form = mapping(config, "credentials")
    for key in ("access_key_id", "access_key_secret", "security_token"):
        if key in form:
            hint = "name a `file:` or a `plugin:`, or use the environment; change this key, it has been seen"
            raise ProviderConfigError("a policy is not a place for keys", "credentials", key, hint=hint)
    refuse_unknown_keys(form, KEYS, "credentials")
    file, plugin = text(form, "file", "credentials"), text(form, "plugin", "credentials")
    if file is not None and plugin is not None:
        raise ProviderConfigError("keys come from a file or from a plugin, not from both", "credentials", "plugin")
    return Keyring(file=file, profile=text(form, "profile", "credentials") or PROFILE, plugin=plugin)


def _from_environment(profile: str) -> Credentials | None:
    key, secret, token = (
        os.environ.get(f"ALIBABA_CLOUD_{name}", "") for name in ("ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN")
    )
    if key.strip() and secret.strip():
        return _checked(key, secret, token, "in the environment")
    file = os.environ.get("ALIBABA_CLOUD_CREDENTIALS_FILE", "").strip()
    return _from_file(Path(file), profile) if file else None


def _from_file(path: Path, profile: str) -> Credentials:
    """Read the vendor's own form of file: INI, with `access_key_id`, `access_key_secret`, `security_token`."""
    parser = configparser.RawConfigParser(strict=True)
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait for whoever writes to it
            raise _missing(f"the credentials file {path} is not a file")
        with path.open("rb") as file:
            text = file.read(FILE_MAX_BYTES).decode("utf-8-sig")
        parser.read_string("\n".join(split_lines(text)))
        section = dict(parser.items(profile))
    except OSError as error:
        raise _missing(f"the credentials file {path} cannot be read: {(error.strerror or '').lower()}") from None
    except configparser.NoSectionError:
        raise _missing(f"the credentials file {path} has no section [{profile}]") from None
    except (configparser.Error, UnicodeDecodeError):  # what it says may quote the key
        raise _missing(f"the credentials file {path} is not an INI file") from None
    if not section.get("access_key_id") or not section.get("access_key_secret"):
        raise _missing(f"[{profile}] of {path} lacks access_key_id or access_key_secret")
    return _checked(
        section["access_key_id"], section["access_key_secret"], section.get("security_token", ""), f"in {path}"
    )


async def _from_plugin(name: str, secrets: Mapping[str, SecretSource]) -> Credentials:
    source = secrets.get(name)
    if source is None:
        offered = ", ".join(sorted(secrets)) or "none is installed"
        raise _missing(f"no plugin offers the secret source `{name}`; offered: {offered}")
    try:
        said = await source.read()
        key, secret, token = (said.get(part) or "" for part in ("access_key_id", "access_key_secret", "security_token"))
        found = _checked(key, secret, token, f"of the secret source `{name}`") if key and secret else None
    except SignalFailed:
        raise
    except Exception as error:  # a plugin's fault; its text may hold the key
        raise _missing(f"the secret source `{name}` raised {type(error).__name__}") from None
    if found is None:
        raise _missing(f"the secret source `{name}` gave no access_key_id or access_key_secret")
    return found


def _checked(key: str, secret: str, token: str, where: str) -> Credentials:
    key, secret, token = key.strip(), secret.strip(), token.strip()
    if not (key + secret + token).isascii() or not (key + secret + token).isprintable():
        said = f"the AccessKey {where} is damaged"
        raise SignalFailed(said, kind="misconfigured", reason_code="CREDENTIALS_DAMAGED", billed=False)
    return Credentials(access_key_id=key, access_key_secret=secret, security_token=token or None)


def _missing(said: str) -> SignalFailed:
    return SignalFailed(said, kind="misconfigured", reason_code="CREDENTIALS_MISSING", billed=False)
