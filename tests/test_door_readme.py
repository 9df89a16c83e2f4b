"""The README tells the truth: its commands run, its Python runs, its files exist, and its two commands are the Makefile's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from ampwright.commands.main import COMMANDS
from validation.audio import write_audio
from validation.signals import PHRASES, shipped_phrase

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
SHELL = re.findall(r"^```bash\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
PYTHON = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_commands_run_one_after_the_other(tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    program = tools / "ampwright"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m ampwright "$@"\n')
    program.chmod(0o755)
    desk = tmp_path / "desk"
    desk.mkdir()
    for name in PHRASES:  # a file of this name goes before the phrase: the commands stay as they are, and take a second or two
        audio = shipped_phrase(name)
        write_audio(desk / "cut.wav", audio.samples[:int(48000 * (2.2 if name == "palm-mutes" else 1.0))], audio.sample_rate)
        (desk / "cut.wav").rename(desk / name)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    for block in SHELL:
        ran = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=desk, env=environment, capture_output=True, text=True)
        assert ran.returncode == 0, f"{block}\n{ran.stdout[-2000:]}\n{ran.stderr[-2000:]}"
        assert "warning:" not in ran.stderr, ran.stderr
    promised = {word for block in SHELL for word in re.findall(r"-o (\S+)", block)}
    assert promised and all((desk / name).exists() for name in promised)


def test_python_runs():
    for block in PYTHON:
        exec(compile(block, "README.md", "exec"), {})  # our own text, not outside data


def test_commands_exist_and_the_jobs_are_shown():
    shown = set(re.findall(r"^ampwright (\w+)", "\n".join(SHELL), re.MULTILINE))
    assert {"simulate", "fit", "compare", "dataset", "inspect", "response", "library"} <= shown <= set(COMMANDS)
    assert "make demo" in TEXT and "make test" in TEXT


def test_links_and_folders_exist():
    for link in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert link.startswith("https://") or (ROOT / link).exists(), link
    floors = re.findall(r"^\| `(\w+)/`", TEXT, re.MULTILINE)
    assert set(floors) >= {"ampwright", "circuits", "wdf", "graybox", "netlists", "validation", "tests"}
    assert all((ROOT / floor).is_dir() for floor in floors)
    assert (ROOT / "docs" / "rig.png").stat().st_size < 200_000


def test_contents_name_pages_that_exist():
    listed = re.findall(r"\]\(([\w-]+\.md)\)", (ROOT / "docs" / "README.md").read_text(encoding="utf-8"))
    assert len(listed) == len(set(listed)) > 5 and all((ROOT / "docs" / name).is_file() for name in listed)
