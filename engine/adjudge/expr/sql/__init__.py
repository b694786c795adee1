"""Conditions as SQL: NULL is unknown, and SQL's own `and`, `or` and `not` are Kleene's."""
