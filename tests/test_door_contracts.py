"""The floor plan is law: import-linter's contracts in setup.cfg hold."""

from pathlib import Path

from importlinter.application import use_cases
from importlinter.configuration import configure

ROOT = Path(__file__).resolve().parents[1]


def test_import_contracts(monkeypatch):
    monkeypatch.chdir(ROOT)
    configure()
    assert use_cases.lint_imports(config_filename="setup.cfg", cache_dir=None) == use_cases.SUCCESS
