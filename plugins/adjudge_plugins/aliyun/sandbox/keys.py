"""Who may call a sandbox, and how each key is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from adjudge_plugins.aliyun.signing import SANDBOX_CREDENTIALS, Credentials

SANDBOX_STS_CREDENTIALS = Credentials(
    access_key_id="adjudge-sandbox-sts",
    access_key_secret="adjudge-sandbox-sts-secret",  # noqa: S106  # opens nothing but a sandbox
    security_token="adjudge-sandbox-token",  # noqa: S106  # as the secret
)
"""A temporary key, as STS gives out: good together with its token only."""

EXPIRED_TOKEN = "adjudge-sandbox-token-expired"  # noqa: S105  # opens nothing
"""A token of the same key whose time is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A key that a gateway knows.

    is_active: an inactive key is refused whatever it signs. is_permitted: whether its RAM user may call the service.
    takes_any_token: of a long-term key, whether a token beside it is overlooked instead of refused.
    """

    credentials: Credentials = field(repr=False)
    is_active: bool = True
    is_permitted: bool = True
    takes_any_token: bool = False


def _named(name: str) -> Credentials:
    return Credentials(access_key_id=name, access_key_secret=f"{name}-secret")


SANDBOX_ACCOUNTS = (
    Account(credentials=SANDBOX_CREDENTIALS),
    Account(credentials=SANDBOX_STS_CREDENTIALS),
    Account(credentials=_named("adjudge-sandbox-inactive"), is_active=False),
    Account(credentials=_named("adjudge-sandbox-denied"), is_permitted=False),
)


def accounts_of(credentials: Credentials | None) -> Mapping[str, Account]:
    """Return the accounts by AccessKey id: the sandbox's own, or that of one key and no other."""
    if credentials is not None:
        return {credentials.access_key_id: Account(credentials=credentials, takes_any_token=True)}
    return {account.credentials.access_key_id: account for account in SANDBOX_ACCOUNTS}


def token_refusal(account: Account, token: str) -> tuple[str, str] | None:
    """Return the code and message by which a token, empty where none was sent, is refused; None where it is in order.

    Which code belongs to which mistake is read from their names: none of it was seen at the vendor's.
    """
    expected = account.credentials.security_token
    if expected is None:
        if not token or account.takes_any_token:
            return None
        return "InvalidSecurityToken.MismatchWithAccessKey", "this key is not a temporary one, it has no token"
    if token == expected:
        return None
    if not token:
        return "MissingSecurityToken", "this key is temporary, it needs its token"
    if token == EXPIRED_TOKEN:
        return "InvalidSecurityToken.Expired", "the token's time is over"
    return "InvalidSecurityToken.Malformed", "no such token was given out"
