"""Makes tests/golden/devices.json: terminal currents and small-signal admittances of devices, by ngspice.

Run ``python tests/golden/devices.py`` from the root, with ngspice on the path. Each case is one model card; for each bias point a deck with
one voltage source a pin is run in batch mode (``ngspice -b deck``): first ``op``, then ``ac`` at one frequency with one source
at 1 V after the other. ngspice's own gmin across junctions is set to 1e-30, so that the bare equations are compared.
"""

import json
import re
import subprocess
import tempfile
from pathlib import Path

GERMANIUM = {"is": 20.66e-6, "bf": 229.6, "br": 14.66, "nf": 1.133, "nr": 1.14, "vaf": 19.68, "var": 88.28, "ikf": 0.463, "ikr": 0.2415,
             "ise": 2.19e-6, "isc": 7.546e-6, "ne": 1.796, "nc": 1.364}
CHARGED = {"is": 6.734e-15, "bf": 416.4, "vaf": 74.03, "ise": 6.734e-15, "ne": 1.259, "ikf": 66.78e-3, "br": 0.737, "cjc": 3.638e-12,
           "cje": 4.493e-12, "mjc": 0.3085, "vjc": 0.75, "mje": 0.2593, "vje": 0.75, "tf": 301.2e-12, "xtf": 2.0, "itf": 0.4, "vtf": 4.0,
           "tr": 239.5e-9, "xtb": 1.5, "fc": 0.5}
JFET = {"beta": 1.125e-3, "vto": -1.372, "lambda": 2.3e-3, "is": 181.3e-15, "cgd": 4e-12, "cgs": 4.627e-12, "pb": 0.5}
MOS = {"vto": 1.0, "kp": 1e-4, "gamma": 0.5, "phi": 0.65, "lambda": 0.02, "cbd": 5e-12, "cbs": 6e-12, "pb": 0.7, "is": 1e-14}
VDMOS = {"vto": 1.6, "kp": 0.17, "mtriode": 1.25, "cgdmax": 80e-12, "cgdmin": 12e-12, "a": 0.7, "cgs": 50e-12, "cjo": 50e-12,
         "is": 0.04e-12, "rg": 3.0, "rs": 0.75, "rd": 0.3}
GATE = [[5.0, 0.5, 0.0], [0.2, 0.3, 0.0], [-0.4, 0.0, 0.0], [-3.0, -0.5, 0.1], [10.0, -1.0, 0.0], [8.0, -3.0, 0.0], [0.1, 0.6, 0.0]]
DRIVE = [[5.0, 3.0, 0.0], [0.2, 3.0, 0.0], [-0.4, 3.0, 0.0], [5.0, 0.5, 0.0], [20.0, 1.5, 0.0], [-0.3, 0.2, 0.0]]
BASE = [[5.0, 0.65, 0.0], [0.1, 0.7, 0.0], [-2.0, 0.6, 0.0], [0.0, -1.0, 0.0], [9.0, 0.8, 0.05], [-0.6, 0.1, 0.0], [30.0, 0.2, 0.0]]
ON = [[5.0, 0.6, 0.0], [5.0, 0.65, 0.0], [5.0, 0.75, 0.0], [9.0, 0.8, 0.05], [0.2, 0.8, 0.0]]
CASES = {
    "diode": ("D", "d", 2, {"is": 2.52e-9, "n": 1.752}, {}, [[-5.0, 0.0], [-0.1, 0.0], [0.02, 0.0], [0.4, 0.0], [0.7, 0.0], [1.1, 0.0]]),
    "diode with everything": ("D", "d", 2, {"is": 2.682e-9, "n": 1.836, "rs": 0.5664, "ikf": 44.17e-3, "cjo": 4e-12, "m": 0.3333, "vj": 0.5,
                              "isr": 1.565e-9, "nr": 2.0, "bv": 100.0, "ibv": 1e-4, "tt": 11.54e-9, "fc": 0.4}, {},
                              [[0.1, 0.0], [0.19, 0.0], [0.25, 0.0], [0.8, 0.0], [1.5, 0.0]]),
    "diode with charges": ("D", "d", 2, {"is": 2.682e-9, "n": 1.836, "rs": 0.5664, "ikf": 44.17e-3, "cjo": 4e-12, "m": 0.3333, "vj": 0.5,
                           "bv": 100.0, "ibv": 1e-4, "tt": 11.54e-9, "fc": 0.4}, {},
                           [[-101.0, 0.0], [-100.0, 0.0], [0.1, 0.0], [0.19, 0.0], [0.25, 0.0], [0.8, 0.0], [1.5, 0.0]]),
    "diode hot": ("D", "d", 2, {"is": 7.02767e-9, "n": 1.80803, "eg": 1.05743, "xti": 5.0, "cjo": 10e-12, "vj": 0.7, "m": 0.5, "tt": 1e-7,
                  "tnom": 25.0}, {"temp": 65.0, "area": 2.0}, [[-3.0, 0.0], [0.3, 0.0], [0.6, 0.0]]),
    "zener": ("D", "d", 2, {"is": 0.88e-15, "rs": 0.25, "bv": 4.7, "ibv": 20.2e-3, "nbv": 1.7, "cjo": 175e-12}, {},
              [[-5.0, 0.0], [-4.7, 0.0], [-4.3, 0.0], [-2.0, 0.0], [0.7, 0.0]]),
    "leaky zener": ("D", "d", 2, {"is": 54.12e-6, "n": 4.209, "bv": 22.5, "ibv": 1e-3}, {}, [[-23.0, 0.0], [-22.4, 0.0], [-1.0, 0.0]]),
    "npn": ("Q", "npn", 3, {"is": 1e-14, "bf": 300.0, "br": 4.0, "vaf": 100.0, "ikf": 0.4}, {}, BASE),
    "npn charged": ("Q", "npn", 3, CHARGED, {}, BASE),
    "npn hot": ("Q", "npn", 3, CHARGED, {"temp": 70.0, "m": 2.0}, BASE),
    "npn cold": ("Q", "npn", 3, {**CHARGED, "tnom": 25.0}, {"temp": -10.0}, BASE),
    "npn with resistances": ("Q", "npn", 3, {**CHARGED, "rb": 100.0, "rc": 10.0, "re": 1.0, "xcjc": 0.6, "cjs": 2e-12, "mjs": 0.3}, {}, BASE),
    "npn with a crowded base": ("Q", "npn", 3, {**CHARGED, "rb": 300.0, "rbm": 20.0, "irb": 50e-6}, {}, ON),
    "npn with a modulated base": ("Q", "npn", 3, {**CHARGED, "rb": 300.0, "rbm": 20.0}, {}, ON),
    "pnp germanium": ("Q", "pnp", 3, {**GERMANIUM, "rb": 1.885, "re": 0.3064, "cjc": 100e-12}, {},
                      [[-5.0, -0.15, 0.0], [-0.1, -0.25, 0.0], [2.0, 0.1, 0.0], [-9.0, -0.3, 0.0], [-4.5, 0.1, 0.0]]),
    "njf": ("J", "njf", 3, JFET, {}, GATE),
    "njf with resistances": ("J", "njf", 3, {**JFET, "rd": 10.0, "rs": 12.0}, {"area": 2.0}, GATE),
    "njf hot": ("J", "njf", 3, JFET, {"temp": 60.0}, GATE),
    "pjf": ("J", "pjf", 3, JFET, {}, [[-v for v in point] for point in GATE]),
    "nmos": ("M", "nmos", 4, MOS, {"w": 1e-5, "l": 2e-6}, [[*point, -2.0] for point in DRIVE]),
    "nmos with forward bulk": ("M", "nmos", 4, MOS, {"w": 1e-5, "l": 2e-6}, [[*point, 0.3] for point in DRIVE]),
    "nmos from its oxide": ("M", "nmos", 4, {"vto": 0.7, "tox": 1e-7, "uo": 500.0, "ld": 1e-7}, {"w": 1e-5, "l": 2e-6},
                            [[5.0, 3.0, 0.0, 0.0], [0.2, 3.0, 0.0, -1.0]]),
    "nmos hot": ("M", "nmos", 4, MOS, {"w": 1e-5, "l": 2e-6, "temp": 80.0}, [[*point, -1.0] for point in DRIVE]),
    "pmos": ("M", "pmos", 4, {**MOS, "vto": -1.0}, {"w": 1e-5, "l": 2e-6}, [[-v for v in point] + [0.5] for point in DRIVE]),
    "vdmos with lambda": ("M", "vdmos", 3, {**VDMOS, "lambda": 0.01, "rds": 1e6}, {}, DRIVE),
    "vdmos": ("M", "vdmos", 3, VDMOS, {}, DRIVE),
    "vdmos hot": ("M", "vdmos", 3, {**VDMOS, "tcvth": 0.003}, {"temp": 60.0}, DRIVE),
}
# tubes as behavioural sources; ngspice runs them in its default mode, where exp is exact, and all bases are kept non-negative
SUBCIRCUITS = {
    "triode": ["p g k", "Bp p k I = 2*pow(max(V(p,k),0)/600*ln(1+exp(600*(1/100+V(g,k)/sqrt(300+V(p,k)*V(p,k))))),1.4)/1060",
               "R1 g 5 2k", "D1 5 k DX", "C1 g k 2.3p", "C2 g p 2.4p", "C3 p k 0.9p", ".model DX D(IS=1n)"],
    "triode_dz": ["p g k", "Bk p k I = 2.242m*pow(ln(1+exp(3.4*(V(p,k)/103.2+V(g,k))))/3.4,1.26) - I(Vg)", "Vg g 5 0",
                  "Bg 5 k I = 617.7u*pow(ln(1+exp(9.901*V(g,k)))/9.901,1.314) + 80.25n"],
    "pentode": ["p s g k", "Bp p k I = 2*pow(V(s,k)/60*ln(1+exp(60*(1/11+V(g,k)/V(s,k)))),1.35)/650*atan(V(p,k)/24)",
                "Bs s k I = pow(max(V(g,k)+V(s,k)/11,0),1.5)/4200", "R1 g 5 1k", "D1 5 k DX", ".model DX D(IS=1n)"],
    "rectifier": ["p k", "Bp p k I = 3.21m*pow(max(V(p,k),0),1.5)"],
}
CASES.update({
    "triode": ("X", "triode", 3, {"mu": 100.0, "ex": 1.4, "kg1": 1060.0, "kp": 600.0, "kvb": 300.0, "rgi": 2e3, "ccg": 2.3e-12, "cgp": 2.4e-12,
               "ccp": 0.9e-12}, {}, [[250.0, -2.0, 0.0], [100.0, 0.0, 0.0], [50.0, 2.0, 0.0], [300.0, 3.0, 1.5], [2.0, 0.5, 0.0], [150.0, -1.5, 0.0]]),
    "triode of Dempwolf": ("X", "triode_dz", 3, {"mu": 103.2, "g": 2.242e-3, "gamma": 1.26, "c": 3.4, "gg": 617.7e-6, "xi": 1.314, "cg": 9.901,
                           "ig0": 80.25e-9}, {}, [[250.0, -2.0, 0.0], [100.0, 0.0, 0.0], [50.0, 2.0, 0.0], [300.0, 1.0, 1.5], [2.0, 0.5, 0.0]]),
    "pentode": ("X", "pentode", 4, {"mu": 11.0, "ex": 1.35, "kg1": 650.0, "kg2": 4200.0, "kp": 60.0, "kvb": 24.0, "rgi": 1e3}, {},
                [[250.0, 250.0, -13.5, 0.0], [20.0, 300.0, 0.0, 0.0], [400.0, 350.0, 5.0, 0.0], [5.0, 100.0, -5.0, 1.0]]),
    "rectifier": ("X", "rectifier", 2, {"k": 3.21e-3}, {}, [[17.0, 0.0], [1.0, 0.5], [-100.0, 0.0]]),
})
FREQUENCY = 1e6
# cases in which only currents are compared: ngspice's slopes are not those of its own currents (seen by differencing them), or a charge is left out
CURRENTS_ONLY = {
    "npn with a crowded base": "ngspice takes the base resistance as constant in its slopes",
    "npn with a modulated base": "ngspice takes the base resistance as constant in its slopes",
    "diode with everything": "with ISR, ngspice's conductance leaves out a part of the product rule",
    "nmos from its oxide": "the oxide's own charge (Meyer) is not modelled",
    "nmos with forward bulk": "for v_bs > 0 ngspice's bulk transconductance belongs to the square root, its current to the tangent",
    "vdmos with lambda": "ngspice leaves RDS out of its AC matrix, and LAMBDA's sign in reverse out of its conductance",
}
OPTIONS = ".options gmin=1e-30 reltol=1e-10 abstol=1e-20 vntol=1e-14 itl1=500"
# ngspice's Newton crawls where its slopes are not those of its currents
CRAWLING = ".options gmin=1e-30 reltol=1e-9 abstol=1e-16 vntol=1e-11 itl1=5000"


def deck(letter: str, kind: str, pins: int, values: dict, instance: dict, points: list, options: str = OPTIONS) -> str:
    """All points of a case side by side; sources v<point>_<pin>; the pin in the param ``drive`` carries 1 V of AC."""
    if letter == "X":
        pin_names, *body = SUBCIRCUITS[kind]
        lines = ["golden device", options, f".subckt mx {pin_names}", *body, ".ends"]
    else:
        lines = ["golden device", options, f".model mx {kind}({' '.join(f'{name}={value!r}' for name, value in values.items())})"]
    extra = " ".join(f"{name}={value!r}" for name, value in instance.items())
    for k, point in enumerate(points):
        nodes = [f"n{k}_{pin}" for pin in range(pins)]
        lines += [f"v{k}_{pin} {node} 0 dc {value!r} ac 0" for pin, (node, value) in enumerate(zip(nodes, point))]
        lines.append(f"{letter}{k} {' '.join(nodes)} mx {extra}")
    lines += [".control", "set numdgt=16", "op"]
    names = [f"v{k}_{pin}" for k in range(len(points)) for pin in range(pins)]
    lines += [f"print i({name})" for name in names]
    for driven in range(pins):
        lines += [f"alter v{k}_{pin} acmag = {1 if pin == driven else 0}" for k in range(len(points)) for pin in range(pins)]
        lines += [f"ac lin 1 {FREQUENCY:g} {FREQUENCY:g}"] + [f"print i({name})" for name in names]
    return "\n".join(lines + [".endc", ".end", ""])


def run(text: str) -> list[str]:
    """Values printed by ngspice, in order."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "deck.cir"
        path.write_text(text)
        done = subprocess.run(["ngspice", "-b", str(path)], capture_output=True, text=True, timeout=60)
    found = re.findall(r"^i\(v\d+_\d+\) = (\S+)$", done.stdout, re.MULTILINE)
    if not found or "Error" in done.stderr:
        raise SystemExit(done.stdout + done.stderr)
    return found


def main() -> None:
    golden = {}
    for name, (letter, kind, pins, values, instance, points) in CASES.items():
        text = deck(letter, kind, pins, values, instance, points, CRAWLING if "base" in name else OPTIONS)
        numbers = run(text)
        count = pins * len(points)
        assert len(numbers) == count * (1 + pins), (name, len(numbers))
        # a source's own current is the negative of the current into the pin
        currents = [-float(number) for number in numbers[:count]]
        admittances = [[-float(part) for part in number.split(",")] for number in numbers[count:]]
        golden[name] = {"kind": kind, "pins": pins, "values": values, "instance": instance, "points": points, "deck": text,
                        "currents": [currents[k * pins:(k + 1) * pins] for k in range(len(points))],
                        "currents_only": CURRENTS_ONLY.get(name, ""),
                        # admittances[point][driven pin][pin] = [real, imaginary]
                        "admittances": [[admittances[d * count + k * pins:d * count + (k + 1) * pins] for d in range(pins)]
                                        for k in range(len(points))]}
    version = re.search(r"ngspice-(\S+)", subprocess.run(["ngspice", "--version"], capture_output=True, text=True).stdout)[1]
    Path(__file__).with_suffix(".json").write_text(json.dumps(
        {"command": "python tests/golden/devices.py (each deck: ngspice -b deck.cir)", "ngspice": version, "frequency": FREQUENCY, "cases": golden},
        indent=None, separators=(",", ": ")) + "\n")


if __name__ == "__main__":
    main()
