"""The drawn tree holds every port once and lets a person find it."""

from __future__ import annotations

from collections import Counter

import pytest

from netlists.library import find
from netlists.reader import read
from wdf.draw import layout, text
from wdf.tree import derive


@pytest.mark.parametrize("name", ["tonestack_bassman", "diode_clipper", "preamp_2203"])
def test_every_port_stands_once_and_no_two_boxes_overlap(name):
    tree = derive(read(find(name)), 48000.0)
    boxes = layout(tree)
    assert Counter(box.name for box in boxes) == Counter([*tree.network.edges, *(adaptor.part.name for adaptor in tree.adaptors)])
    assert len({(box.x, box.y) for box in boxes}) == len(boxes)
    for k, box in enumerate(boxes):
        assert box.above < k and (box.above == -1) == (box.y == 0)
        if box.above >= 0:
            assert box.y == boxes[box.above].y + 1
    lines = text(tree).splitlines()
    assert len(lines) == len(boxes)
    assert [line for line in lines if "root" in line] and sum(line.endswith("root") for line in lines) == len(tree.roots)


def test_the_bassman_stack_reads_as_its_schematic():
    lines = text(derive(read(find("tonestack_bassman")), 48000.0)).splitlines()
    rigid = next(k for k, line in enumerate(lines) if " rigid" in line)
    assert sum(" rigid" in line for line in lines) == 1
    depth = len(lines[rigid]) - len(lines[rigid].lstrip())
    inside = [line.split()[0] for line in lines[rigid + 1:] if len(line) - len(line.lstrip()) == depth + 2]
    assert inside, "the rigid node holds the capacitors that bridge the pots"
