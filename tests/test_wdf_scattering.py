"""Scattering matrices: textbook forms, energy, reciprocity, and adaptation with ideal parts inside."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from wdf.adaptors import Ports, adapt
from wdf.network import Edge, Network, Relation
from wdf.scattering import scattering_matrix
from wdf.structure import Part


def rigid(rng: np.random.Generator, n_nodes: int) -> dict[str, Edge]:
    """A random 3-connected network of capacitors."""
    while True:
        graph = nx.gnm_random_graph(n_nodes, int(rng.integers(2 * n_nodes, 3 * n_nodes)), seed=int(rng.integers(1 << 30)))
        if nx.is_connected(graph) and nx.node_connectivity(graph) >= 3:
            return {f"e{k}": Edge(f"e{k}", str(a), str(b), "capacitor", 1.0) for k, (a, b) in enumerate(graph.edges)}


def network(edges: dict[str, Edge], relations=()) -> Network:
    return Network(edges, tuple(relations), (), (), {}, (), (), ())


def test_series_and_parallel_are_fettweis_formulas():
    # Fettweis 1986, equations 77 (series) and 71 (parallel)
    R = {"x": 100.0, "y": 220.0, "z": 4700.0}
    loop = network({"x": Edge("x", "a", "b", "capacitor"), "y": Edge("y", "b", "c", "capacitor"), "z": Edge("z", "c", "a", "capacitor")})
    total = sum(R.values())
    series = np.eye(3) - 2.0 * np.array([[R[k]] * 3 for k in R]) / total
    np.testing.assert_allclose(scattering_matrix(loop, tuple(R), R)[1], series, atol=1e-14)
    star = network({name: Edge(name, "a", "0", "capacitor") for name in R})
    G = {name: 1.0 / r for name, r in R.items()}
    parallel = 2.0 * np.array([[g for g in G.values()]] * 3) / sum(G.values()) - np.eye(3)
    np.testing.assert_allclose(scattering_matrix(star, tuple(R), R)[1], parallel, atol=1e-14)


@pytest.mark.parametrize("n_nodes", [4, 5, 7])
def test_rigid_nodes_are_lossless_and_reciprocal(n_nodes):
    rng = np.random.default_rng(n_nodes)
    for _ in range(20):
        edges = rigid(rng, n_nodes)
        R = {name: 10.0**rng.uniform(0, 6) for name in edges}
        _, S = scattering_matrix(network(edges), tuple(edges), R)
        G = np.diag([1.0 / r for r in R.values()])
        scale = np.abs(S).max()
        np.testing.assert_allclose(S @ S, np.eye(len(S)), atol=1e-11 * scale**2)  # reciprocal and lossless: its own inverse
        power = np.sqrt(G) @ S @ np.linalg.inv(np.sqrt(G))
        np.testing.assert_allclose(power.T @ power, np.eye(len(S)), atol=1e-11)  # no power is made or lost
        np.testing.assert_allclose(power, power.T, atol=1e-11)


@pytest.mark.parametrize("inside", ["nothing", "nullor", "controlled voltage", "transformer", "ideal source"])
def test_an_adapted_port_does_not_reflect_and_the_rest_is_the_full_matrix(inside):
    rng = np.random.default_rng(len(inside))
    checked = 0
    for _ in range(12):
        edges = rigid(rng, 6)
        relations = []
        if inside == "nullor":
            edges |= {"out": Edge("out", "5", "0", "branch"), "control": Edge("control", "1", "2", "open")}
            relations = [Relation(voltages=(("control", 1.0),))]
        elif inside == "controlled voltage":
            edges |= {"out": Edge("out", "5", "0", "branch"), "control": Edge("control", "1", "2", "open")}
            relations = [Relation(voltages=(("out", 1.0), ("control", -0.3)))]
        elif inside == "transformer":
            edges |= {"one": Edge("one", "5", "0", "branch"), "two": Edge("two", "1", "2", "branch")}
            relations = [Relation(voltages=(("one", 1.0), ("two", -3.0))), Relation(currents=(("two", 1.0), ("one", 3.0)))]
        elif inside == "ideal source":
            edges |= {"v": Edge("v", "5", "0", "voltage")}
            relations = [Relation(voltages=(("v", 1.0),), inputs=(("s:v", 1.0),))]
        first = "e0"
        R = {name: 10.0**rng.uniform(2, 5) for name, edge in edges.items() if edge.role == "capacitor"}
        ends = {name: (edge.plus, edge.minus) for name, edge in edges.items()}
        ends["*0"] = ends[first]
        inner = tuple(name for name in edges if name != first)
        part = Part("R1", "R", (*inner, "*0"), "*0")
        adaptor = adapt(part, Ports(network(edges, relations), ends, {name: r for name, r in R.items() if name != first}, {}))
        if adaptor is None or adaptor.resistance == 0.0:
            continue  # a negative resistance is refused: the tree joins such a part with the one above; behind an ideal voltage it is 0
        R[first] = adaptor.resistance
        ports, S = scattering_matrix(network(edges, relations), tuple(edges), R)
        up = ports.index(first)
        assert abs(S[up, up]) < 1e-9
        arrive = {port: ("d:*0" if port == first else f"a:{port}") for port in ports}
        for column, port in enumerate(ports):
            waves = {name: 0.0 for name in ("s:v", *arrive.values())} | {arrive[port]: 1.0}
            for name, terms in (*adaptor.up, *adaptor.down):
                waves[name] = sum(factor * waves.get(source, 0.0) for source, factor in terms.items())
            scale = np.abs(S[:, column]).max()
            assert waves["u:*0"] == pytest.approx(S[up, column], abs=1e-9 * scale)
            for k, other in enumerate(ports):
                if other != first:
                    assert waves[f"b:{other}"] == pytest.approx(S[k, column], abs=1e-9 * scale)
        checked += 1
    assert checked >= 5


def test_an_unsolvable_node_is_refused():
    edges = {"c": Edge("c", "a", "0", "capacitor"), "v": Edge("v", "a", "0", "voltage"), "w": Edge("w", "a", "0", "voltage")}
    twice = network(edges, [Relation(voltages=(("v", 1.0),)), Relation(voltages=(("w", 1.0),))])
    with pytest.raises(ValueError, match="no unique solution"):
        scattering_matrix(twice, tuple(edges), {"c": 1.0})
