"""Makes the golden operating points and frequency responses of the library: ``python tests/golden/make_points.py`` (some seconds).

The result is ``tests/golden/points.json``: for each deck its digest (SHA-256 without comments), the voltages of its nodes at rest, and the complex gain
from input to output at 31 frequencies, all from ngspice at the deck's own settings with reltol 1e-9, gmin 1e-15 and no changes else.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "golden"))

import make  # noqa: E402  (beside this file)

OPTIONS = "reltol=1e-9 vntol=1e-12 abstol=1e-15 gmin=1e-15"


def points(path: Path) -> dict:
    """Voltages at rest and small-signal gain of one deck."""
    text = path.read_text(encoding="ascii")
    output = re.search(r"(?m)^\*@ output (\S+)$", text).group(1)
    with tempfile.TemporaryDirectory() as folder:
        control = (f".options {OPTIONS}\n.control\nset numdgt=12\nset filetype=ascii\nop\nwrite {folder}/op.raw\n"
                   f"ac dec 10 20 20k\nwrite {folder}/ac.raw v({output})\nquit\n.endc\n.end\n")
        Path(folder, "deck.cir").write_text(re.sub(r"(?m)^\.tran.*\n\.end\s*$", "", text) + control)
        run = subprocess.run(["ngspice", "-b", f"{folder}/deck.cir"], capture_output=True, text=True, timeout=120, cwd=folder)
        rest, response = raw(Path(folder, "op.raw").read_text()), raw(Path(folder, "ac.raw").read_text())
    nodes = {name[2:-1]: values[0].real for name, values in rest.items() if name.startswith("v(") and not set(name) & set(".#")}
    if not nodes:
        raise SystemExit(f"{path.name}: ngspice gave no operating point\n{run.stdout}{run.stderr}")
    gain = response[f"v({output.lower()})"]
    return {"sha256": make.digest(text), "volts": {n: float(f"{v:.10g}") for n, v in sorted(nodes.items())},
            "frequencies": [float(f"{f.real:.12g}") for f in response["frequency"]],
            "gain": [[float(f"{g.real:.10g}"), float(f"{g.imag:.10g}")] for g in gain]}


def raw(text: str) -> dict[str, np.ndarray]:
    """Variables of an ascii raw file."""
    head, body = text.split("Values:\n", 1)
    names = re.findall(r"(?m)^\t\d+\t(\S+)\t", head)
    complex_ = "Flags: complex" in head
    numbers = [complex(*map(float, word.split(","))) if complex_ else complex(float(word))
               for word in re.findall(r"(?m)^(?: ?\d+)?\t+(\S+)$", body)]
    table = np.array(numbers).reshape(-1, len(names))
    return {name: table[:, i] for i, name in enumerate(names)}


def main() -> int:
    version = re.search(r"ngspice-\S+", subprocess.run(["ngspice", "--version"], capture_output=True, text=True).stdout).group(0)
    stored = {"about": {"ngspice": version, "options": OPTIONS, "command": "python tests/golden/make_points.py"},
              "decks": {path.stem: points(path) for path in sorted(make.LIBRARY.glob("*.cir"))}}
    text = json.dumps(stored, indent=None, separators=(",", ":")).replace('},"', '},\n"')
    (Path(__file__).resolve().parent / "points.json").write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
