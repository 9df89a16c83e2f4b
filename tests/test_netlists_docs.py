"""The page about netlists tells the truth: its declarations, functions, messages and limits are those of the reader."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

from circuits.errors import NetlistError
from netlists import deck, expand, expression, files, lexer, trees
from netlists.reader import read_text

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "netlists.md").read_text()
HEAD = "t\nVin in 0 2 AC 1\nRl in out 1k\n.param drive=.5\n"


def test_declarations_of_the_page_are_read():
    lines = [line.split("  ")[0].split(" [")[0] for line in PAGE.splitlines() if line.startswith("*@")]
    assert len(lines) == 5
    text = "\n".join(lines).replace("VIN", "vin").replace("OUT", "out").replace("NAME FIRST LAST", "mode 0 2").replace("NAME", "drive").replace("VOLTS", "0.2")
    circuit = read_text(HEAD + ".param mode=1\n" + text + "\n", strict=True)
    assert (circuit.input, circuit.outputs, circuit.level) == ("vin", ("out",), 0.2) and {control.name for control in circuit.controls} == {"drive", "mode"}


def test_functions_of_the_page_are_known():
    listed = re.search(r"Functions: `([^`]*)`", PAGE)[1].split()
    assert len(listed) > 40 and set(listed) <= set(expression._FUNCTIONS) | set(expression._SPECIAL)


def test_the_message_of_the_page_is_the_readers():
    with pytest.raises(NetlistError) as caught:
        read_text(HEAD + "D1 in 0 1N41448\n", path="rat.cir")
    wanted = re.search(r"`(rat\.cir, line 14, column 9: .*?)`", PAGE)[1].replace("line 14", "line 5")
    assert str(caught.value) == wanted


def test_limits_of_the_page_are_the_readers():
    numbers = [f"{lexer.MAX_BYTES // 2**20} MB a file", f"{files.MAX_TOTAL // 2**20} MB and {files.MAX_FILES} files", f"{deck.MAX_PARTS:,} elements", f"{deck.MAX_LINES:,} lines",
               f"{expand.MAX_INSTANCES:,} instances {expand.MAX_LEVELS} deep", f"{trees.MAX_DEPTH} levels and {trees.MAX_SIZE:,} parts"]
    for text in numbers:
        assert text in " ".join(PAGE.split()), text



def test_examples_of_the_room():
    results = [doctest.testmod(importlib.import_module(f"netlists.{name}")) for name in (
        "asc", "declarations", "formula", "lexer", "reader", "schx", "statements", "symbols", "writer")]
    assert sum(result.attempted for result in results) >= 8 and not any(result.failed for result in results)
