"""The drawn tree holds every port once and lets a person find it."""

from __future__ import annotations

from collections import Counter

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from typer.testing import CliRunner

from ampwright.commands.main import app
from ampwright.trees import draw_tree
from circuits.errors import CircuitError
from netlists.library import find
from netlists.reader import read
from validation.gallery.tree import engineering, tree_figure
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


@pytest.mark.parametrize("name", ["tonestack_bassman", "tube_screamer", "preamp_2203"])
def test_the_picture_shows_every_port_and_no_text_hides_another(name):
    tree = derive(read(find(name)), 48000.0)
    boxes = layout(tree)
    figure = tree_figure(boxes, name)
    renderer = FigureCanvasAgg(figure).get_renderer()
    texts = [text for text in figure.axes[0].texts if text.get_text()]
    shown = [text.get_text() for text in texts]
    assert all(box.name in shown for box in boxes)
    assert Counter(engineering(box.resistance, "Ω") for box in boxes if box.above >= 0 and box.resistance == box.resistance) <= Counter(shown)
    places = [text.get_window_extent(renderer) for text in texts]
    page = figure.bbox
    for k, one in enumerate(places):
        assert page.x0 <= one.x0 and one.x1 <= page.x1 and page.y0 <= one.y0 and one.y1 <= page.y1, shown[k]
        assert not any(one.overlaps(other) for other in places[k + 1:]), shown[k]


def test_a_box_tells_nodes_value_and_whose_law_it_is():
    boxes = {box.name: box for box in layout(derive(read(find("preamp_2203")), 48000.0))}
    assert boxes["c1"].ends == ("k1", "0") and boxes["c1"].value == pytest.approx(680e-9)
    assert boxes["vb"].value == 300.0 and boxes["vin"].note == "input"
    assert boxes["g1-k1"].kind == "nonlinear" and "x1" in boxes["g1-k1"].note


def test_response_draws_the_tree_beside_its_pictures(tmp_path):
    found = CliRunner().invoke(app, ["response", "rc_lowpass", "--engine", "wdf", "--out", str(tmp_path), "--json"])
    assert found.exit_code == 0, found.output
    assert (tmp_path / "tree-rc_lowpass.png").read_bytes().startswith(b"\x89PNG") and "tree-rc_lowpass.png" in found.output


def test_inspect_writes_the_picture(tmp_path):
    path = tmp_path / "tree.png"
    found = CliRunner().invoke(app, ["inspect", "tonestack_bassman", "--engine", "wdf", "--picture", str(path)])
    assert found.exit_code == 0, found.output
    assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 20000
    again = draw_tree("tonestack_bassman", tmp_path / "other.png", root="c1")
    assert again.read_bytes() != path.read_bytes()
    with pytest.raises(CircuitError, match="only a circuit has a tree"):
        draw_tree(object(), path)
    with pytest.raises(CircuitError, match="Add --engine wdf"):
        CliRunner().invoke(app, ["inspect", "tonestack_bassman", "--picture", str(path)], catch_exceptions=False, standalone_mode=False)
