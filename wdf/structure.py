"""From a network of ports to an oriented forest: which parts share an adaptor, which adaptor is the root, what hangs below what.

Groups (the ports of one multiport) are brought together by joining the components on the path between them; all
nonlinear laws of one tree end up in one node, which becomes its root.

References
----------
Fränken, Ochs, Ochs 2005; Werner, Nangia, Smith, Abel: Resolving wave digital filters with multiple/multiport nonlinearities, DAFx-15, 2015.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Mapping

import networkx as nx

from circuits.errors import TopologyError
from wdf.network import Network
from wdf.spqr import VIRTUAL, Component, decompose


@dataclass(frozen=True, slots=True)
class Part:
    """One node of the forest.

    Parameters
    ----------
    name : str
        "S1", "P2", "R1", ... counted from the root.
    kind : {"S", "P", "R"}
    edges : tuple of str
    up : str
        The virtual edge towards the root; empty at a root.
    """

    name: str
    kind: str
    edges: tuple[str, ...]
    up: str

    @property
    def children(self) -> tuple[str, ...]:
        """Virtual edges that lead away from the root."""
        return tuple(edge for edge in self.edges if edge.startswith(VIRTUAL) and edge != self.up)

    @property
    def leaves(self) -> tuple[str, ...]:
        """Edges that are ports of the circuit."""
        return tuple(edge for edge in self.edges if not edge.startswith(VIRTUAL))


@dataclass(frozen=True, slots=True)
class Structure:
    """The oriented forest: parts with every child before its parent, and the ends of all edges."""

    parts: tuple[Part, ...]
    ends: Mapping[str, tuple[str, str]]

    def part_of(self, edge: str) -> Part:
        """The part that holds a port of the circuit."""
        return next(part for part in self.parts if edge in part.edges)

    def above(self, part: Part) -> Part | None:
        """The part towards the root; None at a root."""
        return next((other for other in self.parts if part.up and part.up in other.children), None)


class Forest:
    """The components while they are being joined and oriented."""

    def __init__(self, network: Network):
        self.network = network
        result = decompose((edge.name, edge.plus, edge.minus) for edge in network.edges.values())
        self.ends = dict(result.ends)
        self.parts: dict[int, Component] = dict(enumerate(result.components))
        for group in network.groups:
            self.gather(group)
        for tree in self.trees():
            inside = [edge for k in tree for edge in self.parts[k].edges if edge in network.nonlinear]
            self.gather(inside)

    def tree_graph(self) -> nx.Graph:
        graph = nx.Graph()
        graph.add_nodes_from(self.parts)
        owner: dict[str, int] = {}
        for k, part in self.parts.items():
            for edge in part.edges:
                if edge.startswith(VIRTUAL):
                    if edge in owner:
                        graph.add_edge(owner[edge], k, edge=edge)
                    owner[edge] = k
        return graph

    def trees(self) -> list[list[int]]:
        """Keys of the parts of every tree."""
        return [sorted(tree) for tree in nx.connected_components(self.tree_graph())]

    def owner(self, edge: str) -> int:
        """Key of the part that holds a port of the circuit."""
        return next(k for k, part in self.parts.items() if edge in part.edges)

    def key(self, part: Part) -> int:
        """Key of a part that `oriented` has named."""
        return next(k for k, component in self.parts.items() if component.edges == part.edges)

    def gather(self, edges: Iterable[str]) -> None:
        """Join what lies between some ports until one part holds them all."""
        edges = list(edges)
        for edge in edges[1:]:
            one, other = self.owner(edges[0]), self.owner(edge)
            if one != other:
                graph = self.tree_graph()
                self.join(nx.shortest_path(graph, one, other) if nx.has_path(graph, one, other) else [one, other])

    def join(self, keys: list[int]) -> int:
        """Replace parts by one rigid part; virtual edges between them vanish."""
        edges = [edge for k in keys for edge in self.parts[k].edges]
        inner = {edge for edge in edges if edge.startswith(VIRTUAL) and edges.count(edge) == 2}
        for k in keys:
            del self.parts[k]
        for edge in inner:
            del self.ends[edge]
        self.parts[keys[0]] = Component("R", tuple(edge for edge in edges if edge not in inner))
        return keys[0]

    def roots(self, wanted: str) -> list[int]:
        """The root of every tree: the nonlinear part, else the one that holds ``wanted``, the audio, a source, or most ports."""
        network = self.network
        if wanted and wanted not in network.edges:
            raise TopologyError(f"there is no port {wanted!r} to be the root", mend=f"Ports: {', '.join(sorted(network.edges))}.")
        if wanted:
            tree = nx.node_connected_component(self.tree_graph(), self.owner(wanted))
            inside = [edge for k in sorted(tree) for edge in self.parts[k].edges if edge in network.nonlinear]
            self.gather([wanted, *inside])
        audio = {name for name, source in network.sources.items() if source.kind == "audio"}

        def rank(k: int):
            edges = self.parts[k].edges
            return (any(edge in network.nonlinear for edge in edges), wanted in edges, any(edge in audio for edge in edges),
                    any(edge in network.sources for edge in edges), len(edges), -k)
        return [max(tree, key=rank) for tree in self.trees()]

    def oriented(self, roots: list[int]) -> Structure:
        """Hang every tree on its root and name the parts."""
        graph = self.tree_graph()
        counts: dict[str, int] = {}
        found: list[Part] = []
        for root in roots:
            waiting = [(root, "")]
            while waiting:
                k, up = waiting.pop(0)
                part = self.parts[k]
                counts[part.kind] = counts.get(part.kind, 0) + 1
                found.append(Part(f"{part.kind}{counts[part.kind]}", part.kind, part.edges, up))
                below = [(graph.edges[k, other]["edge"], other) for other in graph[k]]
                waiting += [(other, edge) for edge, other in sorted(below) if edge != up]
        return Structure(tuple(reversed(found)), dict(self.ends))
