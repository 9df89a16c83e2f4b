"""Which points of a drawing are one node: wires and flags of one name join them.

Wires on one line that touch or overlap are one; a point finds its wires by bisection, so that large drawings cost little.
"""

from __future__ import annotations

from bisect import bisect_right

from circuits.errors import NetlistError

Point = tuple[int, int]
MAX_DIAGONALS = 500  # wires that are neither horizontal nor vertical


class Nets:
    """Which points are one node, and what it is called.

    Parameters
    ----------
    wires : list of (point, point)
        Whatever touches one of them is connected to it; wires that only cross are not connected.
    flags : list of (point, name)
        Equal names are one node, and "0" is ground.
    pins : list of point
        All other points that will be asked for.
    """

    def __init__(self, wires: list[tuple[Point, Point]], flags: list[tuple[Point, str]], pins: list[Point]):
        self.parent: dict = {}
        self.names: dict = {}
        self.others: dict[str, str] = {}
        self.count = 0
        self.rows = _merged([(a[1], a[0], b[0]) for a, b in wires if a[1] == b[1]])
        self.columns = _merged([(a[0], a[1], b[1]) for a, b in wires if a[0] == b[0]])
        diagonals = [(a, b) for a, b in wires if a[0] != b[0] and a[1] != b[1]]
        if len(diagonals) > MAX_DIAGONALS:
            raise NetlistError(f"the drawing has more than {MAX_DIAGONALS} slanted wires")
        self.diagonals = diagonals
        for a, b in wires:
            self.join(self.touch(a), self.touch(b))
        for point in pins:
            self.touch(point)
        taken: dict = {}
        for point, name in flags:
            root = self.find(self.touch(point))
            known = taken.setdefault(name.lower(), root)
            self.join(known, root)
        labels: dict = {}
        for point, name in flags:
            labels.setdefault(self.find(point), {})[name.lower()] = name
        for root, named in labels.items():
            chosen = "0" if "0" in named else next(iter(named.values()))
            self.names[root] = chosen
            self.others.update({name: chosen.lower() for name in named if name != chosen.lower()})
        self.used = {name.lower() for name in self.names.values()}

    def find(self, item):
        root = item
        while self.parent.setdefault(root, root) != root:
            root = self.parent[root]
        while self.parent[item] != root:
            self.parent[item], item = root, self.parent[item]
        return root

    def join(self, a, b) -> None:
        a, b = self.find(a), self.find(b)
        if a != b:
            self.parent[b] = a

    def touch(self, point: Point):
        """The point, joined to every wire that it lies on."""
        x, y = point
        for key, lines, where in (("row", self.rows.get(y), x), ("column", self.columns.get(x), y)):
            if lines is not None:
                index = bisect_right(lines[0], where) - 1
                if index >= 0 and where <= lines[1][index]:
                    self.join(point, (key, y if key == "row" else x, index))
        for number, ((x1, y1), (x2, y2)) in enumerate(self.diagonals):
            if min(x1, x2) <= x <= max(x1, x2) and min(y1, y2) <= y <= max(y1, y2) and (x - x1) * (y2 - y1) == (y - y1) * (x2 - x1):
                self.join(point, ("slanted", number, 0))
        return point

    def name(self, point: Point) -> str:
        """Name of the node at a point; without a flag N001, N002, ... in the order of asking."""
        root = self.find(point)
        if root not in self.names:
            self.count += 1
            while f"n{self.count:03d}" in self.used:
                self.count += 1
            self.names[root] = f"N{self.count:03d}"
        return self.names[root]


def _merged(lines: list[tuple[int, int, int]]) -> dict[int, tuple[list[int], list[int]]]:
    """Overlapping wires on one line become one; for each line the sorted starts and ends."""
    by_line: dict[int, list[tuple[int, int]]] = {}
    for line, a, b in lines:
        by_line.setdefault(line, []).append((min(a, b), max(a, b)))
    merged = {}
    for line, spans in by_line.items():
        spans.sort()
        starts, ends = [spans[0][0]], [spans[0][1]]
        for start, end in spans[1:]:
            if start <= ends[-1]:
                ends[-1] = max(ends[-1], end)
            else:
                starts.append(start)
                ends.append(end)
        merged[line] = (starts, ends)
    return merged
