"""The command that tells what becomes of a folder of netlists: read or not, clean or not, copies, limits, totals."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, str(ROOT / "tests" / "benchmarks" / "corpus.py")]
GOOD = "a filter\nVin in 0 AC 1\nR1 in out 1k\nC1 out 0 10n\n"


@pytest.mark.skipif(sys.platform == "win32", reason="a process of its own for each file is made by fork")
def test_a_folder_is_told_file_by_file(tmp_path):
    (tmp_path / "set" / "deep").mkdir(parents=True)
    for name, text in (("good.cir", GOOD), ("copy.net", GOOD), ("deep/lost.cir", GOOD + "D1 out 0 1N41448\n"), ("deep/alone.asc", "Version 4\nSHEET 1 880 680\n"),
                       ("deep/lamp.cir", "an oscillator\nV1 a 0 9\nR1 a out 1k\nC1 out 0 1u\n.include ../part.inc\n"), ("part.inc", "R9 out 0 1k\n"), ("notes.txt", "words")):
        (tmp_path / "set" / name).write_text(text)
    done = subprocess.run([*COMMAND, str(tmp_path / "set"), "--jobs", "2", "--json", str(tmp_path / "rows.jsonl")], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = {Path(row["file"]).name: row for row in map(json.loads, (tmp_path / "rows.jsonl").read_text().splitlines())}
    assert len(rows) == 4 and len({"good.cir", "copy.net"} & set(rows)) == 1, "a copy counts once, and notes.txt is no netlist"
    assert {name for name, row in rows.items() if row["clean"]} == {*({"good.cir", "copy.net"} & set(rows)), "lamp.cir"}
    assert "Did you mean 1N4148?" in rows["lost.cir"]["said"] and "holds no element" in rows["alone.asc"]["said"]
    assert rows["lamp.cir"]["input"] == "none" and rows["lamp.cir"]["elements"] == 4, "what lies in the folder that was given may be included"
    assert "| all | 4 | 2 (50.0 %) | 2 (50.0 %) |" in done.stdout and "1 copies left out; 1 of the clean ones have no input" in done.stdout
    assert "NOT READ" in done.stdout and "Did you mean 1N4148?" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="a process of its own for each file is made by fork")
def test_a_file_that_takes_too_long_is_stopped_and_told(tmp_path):
    heavy = "heavy\nVin n0 0 AC 1\n" + "".join(f"R{k} n{k} n{k + 1} 1k\nD{k} n{k + 1} 0 D\nC{k} n{k + 1} 0 1n\n" for k in range(300))
    (tmp_path / "heavy.cir").write_text(heavy)
    done = subprocess.run([*COMMAND, str(tmp_path), "--limit", "2"], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and "takes more than 2 s" in done.stdout and "| all | 1 | 0" in done.stdout, done.stdout + done.stderr[-2000:]
