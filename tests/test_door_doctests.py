"""Every example in a docstring of the house runs and gives what it says."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("ampwright", "circuits", "netlists", "wdf", "graybox", "validation")
MODULES = sorted(".".join(path.relative_to(ROOT).with_suffix("").parts) for room in ROOMS for path in (ROOT / room).rglob("*.py")
                 if path.name not in ("__init__.py", "__main__.py") and "training" not in path.parts and ">>>" in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", MODULES)
def test_examples(module):
    results = doctest.testmod(importlib.import_module(module))
    assert results.failed == 0 and results.attempted > 0
