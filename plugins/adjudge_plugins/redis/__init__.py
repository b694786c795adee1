"""Redis in front of the ledger in PostgreSQL: copies of what that said, never the authority.

Set by `redis` under `ledger: {postgres: …}`; needs `pip install "adjudge[redis]"`. What lies there is sealed with a key
that Redis does not have, so that it can lose, mix up and hold back what it was given, and tell nothing that is not so.
"""
