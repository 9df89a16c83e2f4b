"""Triconnected components against the definition, checked by brute force on small random graphs."""

from __future__ import annotations

from itertools import combinations

import networkx as nx
import numpy as np
import pytest

from wdf.spqr import Decomposition, decompose


def random_graph(rng: np.random.Generator) -> list[tuple[str, str, str]]:
    n_nodes = int(rng.integers(2, 8))
    n_edges = int(rng.integers(1, 14))
    edges = []
    for k in range(n_edges):
        a, b = rng.choice(n_nodes, 2, replace=False)
        edges.append((f"e{k}", f"n{a}", f"n{b}"))
    return edges


def pieces(edges: dict[str, tuple[str, str]], pair: tuple[str, str]) -> list[set[str]]:
    """Separation classes of a pair by the definition: edges joined by a path that has no vertex of the pair inside it."""
    names = list(edges)
    graph = nx.Graph()
    graph.add_nodes_from(names)
    for one, other in combinations(names, 2):
        if (set(edges[one]) & set(edges[other])) - set(pair):
            graph.add_edge(one, other)
    return [set(part) for part in nx.connected_components(graph)]


def sides(result: Decomposition, virtual: str) -> tuple[set[str], set[str]]:
    """Real edges on both sides of a virtual edge."""
    tree = nx.Graph()
    tree.add_nodes_from(range(len(result.components)))
    owners: dict[str, list[int]] = {}
    for k, part in enumerate(result.components):
        for name in part.edges:
            owners.setdefault(name, []).append(k)
    for name, pair in owners.items():
        if len(pair) == 2 and name != virtual:
            tree.add_edge(*pair)
    found = []
    for start in owners[virtual]:
        reach = nx.node_connected_component(tree, start)
        found.append({name for k in reach for name in result.components[k].edges if not name.startswith("*")})
    return found[0], found[1]


def check(edges: list[tuple[str, str, str]]) -> None:
    result = decompose(edges)
    given = {name: (a, b) for name, a, b in edges}
    owners: dict[str, list[int]] = {}
    for k, part in enumerate(result.components):
        for name in part.edges:
            owners.setdefault(name, []).append(k)
    for name in given:
        assert len(owners[name]) == 1 and result.ends[name] == given[name]
    blocks = [set(map(frozenset, block)) for block in nx.biconnected_component_edges(nx.Graph(list(given.values())))]
    for k, part in enumerate(result.components):
        nodes = {node for name in part.edges for node in result.ends[name]}
        graph = nx.Graph(result.ends[name] for name in part.edges)
        small = all(not name.startswith("*") for name in part.edges)  # a whole block may have fewer edges
        if part.kind == "P":
            assert len(nodes) == 2 and (len(part.edges) >= 3 or small)
        elif part.kind == "S":
            assert len(nodes) == len(part.edges) >= 3 and all(d == 2 for _, d in graph.degree)
        else:
            assert len(nodes) >= 4 and graph.number_of_edges() == len(part.edges)
            for gone in combinations(nodes, 2):
                assert nx.is_connected(graph.subgraph(nodes - set(gone)))
    for name, holders in owners.items():
        if name.startswith("*"):
            assert len(holders) == 2
            kinds = {result.components[k].kind for k in holders}
            assert kinds == {"R"} or len(kinds) == 2, "neighbours of the same kind must have been joined"
            one, other = sides(result, name)
            block = next(set(b) for b in blocks if frozenset(given[next(iter(one))]) in b)
            assert all(frozenset(given[edge]) in block for edge in one | other)
            # the two sides meet exactly in the ends of the virtual edge
            touch = [{node for edge in side for node in given[edge]} for side in (one, other)]
            assert touch[0] & touch[1] == set(result.ends[name])
            assert len(one) >= 2 and len(other) >= 2
    # completeness: the separation pairs by brute force are those that the components show
    for block in blocks:
        inside = {name: pair for name, pair in given.items() if frozenset(pair) in block}
        nodes = sorted({node for pair in inside.values() for node in pair})
        shown = set()
        for part in result.components:
            real = [name for name in part.edges if name in inside]
            held = real or any(name.startswith("*") and sides(result, name)[0] <= set(inside) for name in part.edges)
            if not held:
                continue
            if part.kind == "S":
                shown |= {frozenset(p) for p in combinations(sorted({n for e in part.edges for n in result.ends[e]}), 2)
                          if not _only_real_edge_between(part, result, p)}
            for name in part.edges:
                if name.startswith("*"):
                    shown.add(frozenset(result.ends[name]))
        for pair in combinations(nodes, 2):
            classes = pieces(inside, pair)
            separates = len(classes) >= 2 and not (len(classes) == 2 and min(map(len, classes)) == 1) and not (
                len(classes) == 3 and all(len(part) == 1 for part in classes))
            if len(nodes) == 2:
                continue
            assert separates == (frozenset(pair) in shown), (edges, pair)


def _only_real_edge_between(part, result, pair) -> bool:
    """Neighbours in a cycle with a real edge between them, so that only one edge lies on one side."""
    return any(set(result.ends[name]) == set(pair) and not name.startswith("*") for name in part.edges)


def test_random_graphs_agree_with_the_definition():
    rng = np.random.default_rng(20)
    for _ in range(400):
        check(random_graph(rng))


def test_a_wheel_is_rigid_and_a_ladder_is_not():
    wheel = [(f"s{k}", "hub", f"r{k}") for k in range(4)] + [(f"r{k}", f"r{k}", f"r{(k + 1) % 4}") for k in range(4)]
    assert [part.kind for part in decompose(wheel).components] == ["R"]
    ladder = [("v", "a", "0"), ("r1", "a", "b"), ("c1", "b", "0"), ("r2", "b", "c"), ("c2", "c", "0")]
    assert sorted(part.kind for part in decompose(ladder).components) == ["P", "S", "S"]


def test_order_of_the_edges_does_not_matter():
    rng = np.random.default_rng(3)
    for _ in range(50):
        edges = random_graph(rng)
        shuffled = [edges[k] for k in rng.permutation(len(edges))]
        real = [sorted((part.kind, *sorted(e for e in part.edges if e[0] != "*")) for part in decompose(order).components)
                for order in (edges, shuffled)]
        assert real[0] == real[1]


def test_self_loops_and_doubled_names_are_refused():
    with pytest.raises(ValueError, match="self-loop"):
        decompose([("a", "x", "x")])
    with pytest.raises(ValueError, match="taken"):
        decompose([("a", "x", "y"), ("a", "y", "z")])
