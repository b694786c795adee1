"""What the conditions of a policy read: fields, lists and variables, and through variables too."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from adjudge.expr.nodes import Name, Node, fold, names_in


class Reads:
    """Answers for one policy. Each part of a condition and each variable is looked at once, however often it is used.

    variables: conditions by name. slots: the full names of fields.
    """

    __slots__ = ("_of_names", "_of_nodes", "_slots", "_variables")

    def __init__(self, variables: Mapping[str, Node], slots: Collection[str]) -> None:
        """Look at nothing yet."""
        self._variables = variables
        self._slots = frozenset(slots) - variables.keys()
        self._of_nodes: dict[int, tuple[Node, frozenset[str]]] = {}  # with the node, so that no other takes its number
        self._of_names: dict[str, frozenset[str]] = {}

    def __reduce__(self) -> tuple[type[Reads], tuple[Mapping[str, Node], Collection[str]]]:
        """Copy nothing of what was found: it goes by the identity of nodes."""
        return Reads, (self._variables, self._slots)

    def names(self, node: Node) -> frozenset[str]:
        """Return every name that a condition reads: of fields, lists and variables."""
        return fold(node, self._joined, self._of_nodes)

    def slots(self, node: Node) -> frozenset[str]:
        """Return the fields that a condition reads, by their full names."""
        return self.names(node) & self._slots

    def take(self, node: Node, other: Node) -> None:
        """Take a condition to read what another reads: the part of it that is left for some requests."""
        self._of_nodes[id(node)] = (node, self.names(other))

    def _joined(self, node: Node, parts: tuple[frozenset[str], ...]) -> frozenset[str]:
        if not isinstance(node, Name):
            return parts[0] if len(parts) == 1 else frozenset().union(*parts)
        if node.name not in self._of_names:
            self._look(node.name)
        return self._of_names[node.name]

    def _look(self, name: str) -> None:
        """Find what a name stands for; a variable reads only those before it, so its chain is not followed deep."""
        waiting = [name]
        while waiting:
            one = waiting[-1]
            node = self._variables.get(one)
            direct = names_in(node) if node is not None else ()
            ahead = [other for other in direct if other in self._variables and other not in self._of_names]
            if ahead:
                waiting += ahead
                continue
            waiting.pop()
            found = (self._of_names.get(other, frozenset((other,))) for other in direct)
            self._of_names[one] = frozenset((one,)).union(*found)
