"""Triconnected components of a circuit's graph: which parts are in series, in parallel, or rigidly knit together.

Every edge is one port of the circuit, every vertex a node. A pair of vertices that separates the graph is a place where the circuit
can be cut into two parts that meet in one port: there a *virtual* edge stands for "the rest" in both parts. Cutting as long
as possible gives cycles (series, S), bonds (parallel, P) and 3-connected graphs (rigid, R), and they form a tree: the
tree of the Wave Digital Filter. Parts that meet in a single vertex (blocks) don't act upon each other and give trees of their own.

Simplicity goes before speed: a pair is searched for by deleting each vertex in turn and looking for cut vertices of what is left.

References
----------
Hopcroft, Tarjan: Dividing a graph into triconnected components, SIAM J. Comput. 2(3), 1973.
Di Battista, Tamassia: On-line maintenance of triconnected components with SPQR-trees, Algorithmica 15, 1996.
Fränken, Ochs, Ochs: Generation of wave digital structures for networks containing multiport elements, IEEE Trans. CAS-I 52(3), 2005.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

import networkx as nx

Ends = tuple[str, str]
VIRTUAL = "*"  # names of virtual edges start with it


@dataclass(frozen=True, slots=True)
class Component:
    """One triconnected component.

    Parameters
    ----------
    kind : {"S", "P", "R"}
        Cycle, bond or 3-connected graph. A block of one or two edges is a "P".
    edges : tuple of str
        Names of its edges; those of virtual edges start with "*", and each virtual edge is in exactly two components.
    """

    kind: str
    edges: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decomposition:
    """All components of a graph, and the two ends of every edge, virtual ones included."""

    components: tuple[Component, ...]
    ends: dict[str, Ends]


def decompose(edges: Iterable[tuple[str, str, str]]) -> Decomposition:
    """Split a multigraph into its triconnected components.

    Parameters
    ----------
    edges : iterable of (name, plus, minus)
        No self-loops; names must be unique and must not start with "*".

    Returns
    -------
    Decomposition
        No two S and no two P components share a virtual edge, which makes the result unique.

    Raises
    ------
    ValueError
        For a self-loop or a name that is taken.

    Examples
    --------
    >>> [c.kind for c in decompose([("v", "a", "0"), ("r", "a", "b"), ("c", "b", "0"), ("d", "b", "0")]).components]
    ['P', 'S']
    """
    ends: dict[str, Ends] = {}
    for name, plus, minus in edges:
        if plus == minus or name in ends or name.startswith(VIRTUAL):
            raise ValueError(f"edge {name}: a self-loop, or a name that is taken")
        ends[name] = (plus, minus)
    parts: list[Component] = []
    splitter = _Splitter(ends)
    for block in _blocks(ends):
        splitter.split(block)
    parts = splitter.merged()
    return Decomposition(tuple(sorted(parts, key=lambda part: (part.kind != "P", part.kind, part.edges))), splitter.ends)


def _blocks(ends: dict[str, Ends]) -> list[list[str]]:
    """Names of the edges of every biconnected block, bridges included."""
    graph = nx.Graph()
    between: dict[frozenset, list[str]] = {}
    for name, pair in ends.items():
        graph.add_edge(*pair)
        between.setdefault(frozenset(pair), []).append(name)
    blocks = []
    for block in nx.biconnected_component_edges(graph):
        names = [name for pair in block for name in between[frozenset(pair)]]
        blocks.append(sorted(names))
    return sorted(blocks)


class _Splitter:
    """Cuts blocks into split components and joins neighbours of the same kind again."""

    def __init__(self, ends: dict[str, Ends]):
        self.ends = dict(ends)
        self.found: list[tuple[str, list[str]]] = []
        self.count = 0

    def virtual(self, pair: Ends) -> str:
        name = f"{VIRTUAL}{self.count}"
        self.count += 1
        self.ends[name] = pair
        return name

    def split(self, block: list[str]) -> None:
        waiting = [list(block)]
        while waiting:
            edges = self.reduced(waiting.pop())
            if edges is None:
                continue
            pair = self.separation_pair(edges)
            if pair is None:
                self.found.append(("R", edges))
                continue
            one, other = pair
            name = self.virtual(self.separator)
            waiting.append([*one, name])
            waiting.append([*other, name])

    def reduced(self, edges: list[str]) -> list[str] | None:
        """Take out bonds and paths until the rest is simple with three edges at every vertex; None if nothing is left."""
        edges = list(edges)
        while True:
            if len({node for name in edges for node in self.ends[name]}) == 2:
                self.found.append(("P", edges))
                return None
            bundles: dict[frozenset, list[str]] = {}
            for name in edges:
                bundles.setdefault(frozenset(self.ends[name]), []).append(name)
            many = next((bundle for bundle in bundles.values() if len(bundle) > 1), None)
            if many is not None:
                self.take("P", edges, many, self.ends[many[0]])
                continue
            star: dict[str, list[str]] = {}
            for name in edges:
                for node in self.ends[name]:
                    star.setdefault(node, []).append(name)
            if all(len(names) == 2 for names in star.values()):
                self.found.append(("S", edges))
                return None
            middle = next((node for node, names in star.items() if len(names) == 2), None)
            if middle is None:
                return edges
            first, second = star[middle]
            outer = tuple(node for name in (first, second) for node in self.ends[name] if node != middle)
            self.take("S", edges, [first, second], outer)

    def take(self, kind: str, edges: list[str], chosen: list[str], pair: Ends) -> None:
        name = self.virtual(pair)
        self.found.append((kind, [*chosen, name]))
        for old in chosen:
            edges.remove(old)
        edges.append(name)

    def separation_pair(self, edges: list[str]):
        """Two halves of the edges that meet in two vertices only, each with at least two edges; None if there is no such pair."""
        graph = nx.Graph(self.ends[name] for name in edges)
        for first in sorted(graph):
            rest = graph.subgraph(node for node in graph if node != first)
            second = next(iter(sorted(nx.articulation_points(rest))), None)
            if second is None:
                continue
            inside = next(nx.connected_components(rest.subgraph(node for node in rest if node != second)))
            one = [name for name in edges if any(node in inside for node in self.ends[name])]
            other = [name for name in edges if name not in set(one)]
            self.separator = (first, second)
            return one, other
        return None

    def merged(self) -> list[Component]:
        """Join neighbouring cycles and neighbouring bonds."""
        parts = {k: (kind, list(edges)) for k, (kind, edges) in enumerate(self.found)}
        owners: dict[str, list[int]] = {}
        for k, (_, edges) in parts.items():
            for name in edges:
                if name.startswith(VIRTUAL):
                    owners.setdefault(name, []).append(k)
        for name, (one, other) in sorted(owners.items()):
            one, other = owners[name]
            if one == other or parts[one][0] != parts[other][0] or parts[one][0] == "R":
                continue
            kind, edges = parts[one]
            joined = [edge for edge in (*edges, *parts[other][1]) if edge != name]
            for edge in parts.pop(other)[1]:
                if edge in owners:
                    owners[edge] = [one if k == other else k for k in owners[edge]]
            parts[one] = (kind, joined)
            del self.ends[name]
        return [Component(kind, tuple(edges)) for kind, edges in parts.values()]
