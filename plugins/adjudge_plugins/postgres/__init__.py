"""The ledger `postgres`: one MerchantBizId, one decision, for several processes and machines.

```yaml
ledger:
  postgres:
    dsn: {env: ADJUDGE_DSN}                        # or {file: …}, or the text itself
    fingerprint_key: {file: /etc/adjudge/fingerprint.key}
    key: {file: /etc/adjudge/audit.key}            # signs checkpoints, and proves every record
```

Needs `pip install "adjudge[postgres]"`, and `adjudge postgres migrate DSN` once.
"""

from __future__ import annotations

from typing import Any

from adjudge.plugin import DecisionLedger, LedgerSettings, LogSource, Register, hookimpl
from adjudge_plugins.postgres.command import postgres


@hookimpl
def register(register: Register) -> None:
    """Offer the ledger, and its command."""
    register.ledger("postgres", _made)
    register.command(postgres)
    for scheme in ("postgresql", "postgres"):
        register.log_source(scheme, _read)


def _read(url: str) -> LogSource:
    from adjudge_plugins.postgres.reading import PostgresLog

    return PostgresLog(url)


def _made(settings: LedgerSettings) -> DecisionLedger:
    from adjudge_plugins.postgres.ledger import PostgresLedger  # brings psycopg along
    from adjudge_plugins.postgres.settings import read_settings

    said = read_settings(settings.settings, settings.folder)
    more: dict[str, Any] = {
        "answer_for_s": settings.answer_for_s,
        "checkpoints": said.checkpoints,
        "anchors": said.anchors,
        "proof": said.proof,
    }
    if said.redis is None:
        return PostgresLedger(said.dsn, said.fingerprint_key, **more)
    from adjudge_plugins.redis.cache import Cache
    from adjudge_plugins.redis.ledger import FrontedLedger

    return FrontedLedger(said.dsn, said.fingerprint_key, cache=Cache(said.redis, said.fingerprint_key), **more)
