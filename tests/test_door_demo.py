"""The demonstration plays, fits and compares what ships; the reports open, and their figures are those that the terminal printed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import sync_playwright
from test_door_commands import command, refused
from test_validation_page import CHROMIUM, FLAGS

import ampwright as aw
from ampwright.commands.compare import SHOWN
from validation import spice
from validation.audio import read_audio
from validation.metrics import METRICS

OURS = ("nodal engine, 2x", "wave engine, 2x")
BLOCKS = ("fitted block, tanh", "fitted block, tiny network")


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """One demonstration for all: its folder and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    ran = subprocess.run([sys.executable, "-m", "ampwright", "demo", "-o", str(folder / "rig"), "--seconds", "0.2", "--effort", "4"],
                         cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=600)
    assert ran.returncode == 0, ran.stderr
    return folder / "rig", ran.stdout, ran.stderr


def _printed(out: str) -> dict[str, dict[str, list[str]]]:
    """Cells of the printed tables by target and candidate; columns stand two blanks or more apart."""
    tables: dict[str, dict[str, list[str]]] = {}
    rows = None
    for line in out.splitlines():
        if line.startswith("Against "):
            rows = tables.setdefault(line.removeprefix("Against ").strip(), {})
        elif rows is not None and not line.strip():
            rows = None
        elif rows is not None:
            label, *cells = re.split(r"\s{2,}", line.strip())
            rows[label.removesuffix(" (doubt)")] = cells
    return tables


def test_everything_that_can_play_the_circuits_is_compared(shown):
    folder, out, err = shown
    outside = ("ngspice, 4 steps a sample",) if spice.library() is not None else ()
    assert outside or "ngspice's shared library is not installed" in err
    for capture, circuit, more in (("overdrive", "tube_screamer", ()), ("preamp", "preamp_2203", BLOCKS)):
        told = json.loads((folder / f"report-{capture}" / "comparison.json").read_text())
        errors = {row["label"]: row["scores"].get("esr") for row in told["rows"]}
        assert set(errors) == {*OURS, *more, *outside, f"neural capture {capture}"} and told["target"]["label"] == f"{circuit}, 8x"
        assert errors[OURS[0]] == pytest.approx(errors[OURS[1]], rel=1e-3) and errors[OURS[0]] < 1e-3, "one difference equation"
        assert all(errors[label] < 1e-5 for label in outside), "another solver, another author"
        assert errors[f"neural capture {capture}"] < 0.2 and all(errors[label] < 1.0 for label in more)
        assert all(re.fullmatch("[0-9a-f]{64}", row["digest"]) for row in (*told["rows"], told["target"], told["dry"])), "what was compared can be found again"
        costs = {row["label"]: (row["n_parameters"], row["operations"]) for row in told["rows"] if row["label"] not in outside}
        assert all(isinstance(value, float) and value > 0 for pair in costs.values() for value in pair), costs
    assert aw.load(folder / "block-net.json").sample_rate == aw.load(folder / "block-tanh.json").sample_rate == 48000.0


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed, so the page can't be opened")
@pytest.mark.xdist_group("chromium")
def test_the_reports_open_with_the_figures_of_the_table(shown):
    folder, out, _ = shown
    printed = _printed(out)
    assert set(printed) == {"tube_screamer, 8x", "preamp_2203, 8x"}
    columns = [list(METRICS).index(name) + 1 for name in SHOWN]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for capture, target in (("overdrive", "tube_screamer, 8x"), ("preamp", "preamp_2203, 8x")):
            page = browser.new_page()
            page.goto((folder / f"report-{capture}" / "report.html").as_uri())
            page.wait_for_selector("html[data-ready=yes]", timeout=60000)
            assert target in page.inner_text("h1")
            page.check("#all-metrics")
            rows = {row.locator("th bdi").inner_text(): row for row in page.locator("#scores tbody tr").all()}
            assert set(rows) == set(printed[target]) - {"candidate"}
            for label, row in rows.items():
                cells = row.locator("td")
                figures = [cells.nth(column - 1).locator("span.aligned").inner_text() for column in columns]
                assert figures == printed[target][label][:len(SHOWN)], label
                assert cells.nth(0).locator("span.asis").text_content() == printed[target][label][len(SHOWN)]
            page.close()
        browser.close()


def test_without_effort_it_only_plays(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, out, err = command(capsys, "demo", "-o", "rig", "--seconds", "0.3", "--effort", "0")
    assert code == 0, err
    for name in ("guitar.wav", "tube_screamer.wav", "preamp_2203.wav"):
        assert np.max(np.abs(read_audio(f"rig/{name}").samples)) == pytest.approx(10 ** (-1 / 20), abs=1e-4) and f"rig/{name}" in out
    assert Path("rig/rig.png").read_bytes().startswith(b"\x89PNG") and "rig/rig.png" in out
    assert out.count("none") == 2 and "x " in out
    assert not Path("rig/block-net.json").exists()
    Path("taken").write_text("")
    refused(capsys, "taken|folder", "demo", "-o", "taken")
