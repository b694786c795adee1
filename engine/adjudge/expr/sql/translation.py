"""What the parts of a translation to SQL ask of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from adjudge.expr.nodes import ListLiteral, MapLiteral, Node
from adjudge.expr.sql.dialects.dialect import Dialect
from adjudge.expr.sql.value import Sql
from adjudge.values.types import SCALARS, Type, is_text

LENGTH_MAX = 50_000
"""Characters of a condition: a database takes longer to read more than the engine takes to answer."""
UNROLLED_MAX = 100
"""A macro over a list that is written out is written out itself, up to so many items."""
SHORT = 48
"""An expression of fewer characters may stand in several places as it is."""
LISTED_MAX = 100
"""A longer list of the policy stands in a table, where there can be one."""

Scope = Mapping[str, Sql]


class Translation(Protocol):
    """What is being translated; `Translator` says what each of these is."""

    columns: Mapping[str, str]
    variables: Mapping[str, Node]
    lists: Mapping[str, tuple[object, ...]]
    dialect: Dialect
    tables: Callable[[str], str] | None

    def value(self, node: Node, scope: Scope) -> Sql:
        """Return the SQL of any part. Raises NotTranslatable."""
        ...

    def short(self, sql: Sql) -> Sql:
        """Return a part that is to stand in several places."""
        ...

    def literal(self, value: object, node: Node) -> Sql:
        """Return a value that is written out. Raises NotTranslatable."""
        ...

    def taken(self, column: str, type_: Type | None) -> str:
        """Return a column's value with its times as microseconds."""
        ...

    def variable(self) -> AbstractContextManager[str]:
        """Name the variable of a lambda."""
        ...

    def written(self, node: Node) -> ListLiteral | MapLiteral | None:
        """Return the list or map that is written out here, or as a variable; None where it is none."""
        ...

    def is_made(self, node: Node) -> bool:
        """Whether a part is a column already."""
        ...


def are_scalars(*types: object) -> bool:
    """Whether values of these types are compared as SQL compares them."""
    return all(type_ in SCALARS.values() or is_text(type_) for type_ in types)  # type: ignore[arg-type]  # what is asked about is a type


def same_kind(one: object, other: object) -> bool:
    """Whether values of two types can be equal."""
    return one == other or (is_text(one) and is_text(other))  # type: ignore[arg-type]  # what is asked about is a type
