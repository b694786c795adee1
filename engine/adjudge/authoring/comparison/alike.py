"""Parts of conditions that mean the same in both policies: one term stands for both.

What a term leaves open, such as the rest of a long list, is then open in the same way on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from adjudge.authoring.comparison.worlds import SharedWorlds
from adjudge.expr.nodes import Call, Name, Node, fold
from adjudge.expr.smt.terms import Term
from adjudge.policy.policy import Policy


def terms_of_both(made: Mapping[int, tuple[Node, Term]], alike: Alike) -> dict[int, tuple[Node, Term]]:
    """Return those of the old policy's terms that the new policy's translator may take over, if it shares `shapes`."""
    return {at: (node, term) for at, (node, term) in made.items() if alike.means_same(node)}


@dataclass(slots=True)
class Alike:
    """Says which conditions of an old policy mean the same in a new one."""

    old: Policy
    new: Policy
    worlds: SharedWorlds
    names: dict[str, bool] = field(default_factory=dict)
    nodes: dict[int, tuple[Node, bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.old.typed.variables:  # each reads only those before it
            self.is_same_name(name)

    def means_same(self, node: Node) -> bool:
        """Return whether a condition of the old policy means the same in the new one."""
        return fold(node, self._is_same_part, self.nodes)

    def _is_same_part(self, node: Node, parts: tuple[bool, ...]) -> bool:
        if isinstance(node, Name) and not self.is_same_name(node.name):
            return False
        if isinstance(node, Call) and self.old.functions.get(node.function) != self.new.functions.get(node.function):
            return False
        return all(parts)

    def is_same_name(self, name: str) -> bool:
        """Return whether a variable, a list or a field is the same in both."""
        if name not in self.names:
            self.names[name] = self._is_same(name)
        return self.names[name]

    def _is_same(self, name: str) -> bool:
        old, new = self.old.typed, self.new.typed
        if name in old.variables or name in new.variables:
            node = old.variables.get(name)
            return node is not None and node == new.variables.get(name) and self.means_same(node)
        if name in old.constants or name in new.constants:
            return old.constants.get(name) == new.constants.get(name)
        term = self.worlds.old.slots.get(name)
        return term is not None and term is self.worlds.new.slots.get(name)
