"""LTspice's stock symbols: where their pins are, in netlist order, and what letter and value they stand for.

Coordinates are those of the unrotated symbol, y downwards. Other symbols are read from ``.asy`` files beside the drawing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping

Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol.

    Parameters
    ----------
    pins : tuple of (x, y)
        In the order of the netlist.
    attributes : mapping of str to str
        Defaults of Prefix, Value, Value2, SpiceModel, ModelFile, SpiceLine, SpiceLine2.
    names : tuple of str
        Names of the pins, if known.
    block : bool
        True for a symbol that stands for another drawing.
    """

    pins: tuple[Point, ...]
    attributes: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    block: bool = False


def _stock(prefix: str, value: str, *pins: Point, **attributes: str) -> Symbol:
    return Symbol(pins, {"Prefix": prefix, "Value": value, **attributes})


_TALL = ((16, 16), (16, 96))
_SHORT = ((16, 0), (16, 64))
_SOURCE = ((0, 16), (0, 96))
_CURRENT = ((0, 0), (0, 80))
_BIPOLAR = ((64, 0), (0, 48), (64, 96))
_JFET = ((48, 0), (0, 64), (48, 96))
_MOSFET = ((48, 0), (0, 80), (48, 96))
_OPAMP = ((-32, 80), (-32, 48), (0, 32), (0, 96), (32, 64))
_UNIVERSAL = ((-32, 16), (-32, -16), (0, -32), (0, 32), (32, 0))

STOCK: dict[str, Symbol] = {
    **{name: _stock("R", "R", *_TALL) for name in ("res", "europeanresistor")}, "res2": _stock("R", "R", *_SHORT), "res60": _stock("R", "R", *_TALL),
    **{name: _stock("C", "C", *_SHORT) for name in ("cap", "polcap", "europeancap", "europeanpolcap", "xtal")},
    **{name: _stock("L", "L", *_TALL) for name in ("ind", "ind2", "fixedind")},
    **{name: _stock("D", "D", *_SHORT) for name in ("diode", "zener", "schottky", "led", "varactor", "tvsdiode")},
    **{name: _stock("QN", "NPN", *_BIPOLAR) for name in ("npn", "npn2", "npn3")}, "npn4": _stock("QN", "NPN", *_BIPOLAR, (64, 48)),
    **{name: _stock("QP", "PNP", *_BIPOLAR) for name in ("pnp", "pnp2")}, "pnp4": _stock("QP", "PNP", *_BIPOLAR, (64, 48)),
    "lpnp": _stock("QP", "LPNP", *_BIPOLAR, (64, 48)), "njf": _stock("JN", "NJF", *_JFET), "pjf": _stock("JP", "PJF", *_JFET),
    "nmos": _stock("MN", "NMOS", *_MOSFET), "pmos": _stock("MP", "PMOS", *_MOSFET), "nmos4": _stock("MN", "NMOS", *_MOSFET, (48, 48)),
    "pmos4": _stock("MP", "PMOS", *_MOSFET, (48, 48)), "voltage": _stock("V", "V", *_SOURCE), "battery": _stock("V", "V", *_SOURCE),
    "signal": _stock("V", "SINE(0 1 1K)", *_SOURCE), "cell": _stock("V", "V", (0, 0), (0, 64)), "current": _stock("I", "I", *_CURRENT),
    "load": _stock("I", "I", *_SHORT), "load2": _stock("I", "I", *_CURRENT), "bv": _stock("B", "V=F(...)", *_SOURCE), "bi": _stock("B", "I=F(...)", *_CURRENT),
    "bi2": _stock("B", "I=F(...)", (0, 80), (0, 0)), "e": _stock("E", "E", *_SOURCE, (-48, 32), (-48, 80)), "e2": _stock("E", "E", *_SOURCE, (-48, 80), (-48, 32)),
    "g": _stock("G", "G", (0, 96), (0, 16), (-48, 32), (-48, 80)), "g2": _stock("G", "G", (0, 96), (0, 16), (-48, 80), (-48, 32)),
    "f": _stock("F", "F", *_CURRENT), "h": _stock("H", "H", *_SOURCE), "epoly": _stock("E", "POLY()", *_SOURCE), "gpoly": _stock("G", "POLY()", (0, 96), (0, 16)),
    "sw": _stock("S", "SW", *_SOURCE, (-48, 80), (-48, 32)), "csw": _stock("W", "CSW", *_CURRENT),
    "tline": _stock("T", "Td=50n Z0=50", (-48, -16), (-48, 16), (48, -16), (48, 16)), "jumper": _stock("R", "0", (-32, 64), (32, 64)),
    "xvaristor": _stock("X", "varistor", *_TALL), "neonbulb": _stock("X", "neonbulb", (0, -48), (0, 48)),
    "pote": _stock("X", "Rt=1K", (16, 32), (16, 96), (-16, 64), SpiceModel="Pot", Value2="Set=.5"), "opamp5": _stock("X", "", *_OPAMP, SpiceModel="level1"),
    "potentiometer-1": _stock("X", "Rtot=10k", *_TALL, (64, 64), SpiceModel="potentiometer", SpiceLine="wiper=.5"),
    "triodeh": _stock("X", "", (0, -48), (-48, 0), (-32, 48), (-16, 64), (16, 64), SpiceModel="Triode"),
    "dio_gz34": _stock("X", "", (0, -48), (64, -48), (0, 48), SpiceModel="GZ34RY"), "diode_tube": _stock("X", "diode", (0, -48), (-32, 48)),
    "nk_triode_l": _stock("X", "", (0, -64), (-32, 0), (-16, 64), SpiceModel="12AX7"), "nk_triode_r": _stock("X", "", (0, -64), (32, 0), (16, 64), SpiceModel="12AX7"),
    "nk_pentode_ll": _stock("X", "", (0, -64), (-48, 0), (-48, 16), (-16, 64), SpiceModel="EF86"),
    "nk_pentode_lr": _stock("X", "", (0, -64), (48, 0), (-48, 16), (-16, 64), SpiceModel="EF86"),
    "nk_pentode_rr": _stock("X", "", (0, -64), (48, 0), (48, 16), (-16, 64), SpiceModel="EF86"),
    "triode": _stock("X", "Triode", (0, -48), (-48, 0), (-32, 48)), "tetrode": _stock("X", "Tetrode", (0, -48), (48, 0), (-48, 16), (-32, 64)),
    "pentode": _stock("X", "Pentode", (-32, 64), (-48, 16), (48, 0), (-48, -16), (0, -64)),
    "opamp": _stock("X", "opamp", (-32, 48), (-32, 80), (32, 64), SpiceLine="Aol=100K", SpiceLine2="GBW=10Meg"), "opamp2": _stock("X", "opamp2", *_OPAMP),
    "universalopamp": _stock("X", "", *_UNIVERSAL, SpiceModel="level1", Value2="Avol=1Meg GBW=10Meg Vos=0"),
    **{name: _stock("X", "", *_UNIVERSAL, SpiceModel="level2", Value2="Avol=1Meg GBW=10Meg Slew=10Meg", SpiceLine="Ilimit=25m Rail=0 Vos=0")
       for name in ("universalopamp2", "universalopamps", "universalopamps2", "universalopamp3", "universalopamp4")},
    **{name: _stock("X", "Rt=10K set=.5", (16, 96), (16, 16), (64, 64), SpiceModel="potentiometer") for name in ("pot", "potentiometer")},
    **{name: _stock("X", "Rtot=10K wiper=.5", *_TALL, (64, 64), SpiceModel="potentiometer")
       for name in ("potentiometer_standard", "potentiometr", "potentiometer 2", "potentiometer10t")},
    **{name: _stock("A", "", (-32, 32), (-32, 48), (-32, 64), (-32, 80), (-32, 96), (32, 80), (32, 48), (-16, 96), SpiceModel=name.upper()) for name in ("and", "or", "xor")},
}
# pins of the eight-pin A devices that have only some of them: place in the netlist, coordinates
PARTIAL: dict[str, tuple[str, dict[int, Point]]] = {
    "ota": ("OTA", {1: (-32, 48), 2: (-32, 80), 7: (48, 64), 8: (-32, 96)}), "ota2": ("OTA", {1: (-32, 80), 2: (-32, 48), 7: (48, 64), 8: (-32, 96)}),
    "schmitt": ("SCHMITT", {1: (0, 64), 6: (64, 80), 7: (64, 48), 8: (0, 96)}), "schmtbuf": ("SCHMITT", {1: (0, 64), 7: (64, 64), 8: (0, 80)}),
    "schmtinv": ("SCHMITT", {1: (0, 64), 6: (64, 64), 8: (0, 80)}), "diffschmitt": ("SCHMITT", {1: (0, 48), 2: (0, 80), 6: (64, 80), 7: (64, 48), 8: (0, 96)}),
    "diffschmtbuf": ("SCHMITT", {1: (0, 48), 2: (0, 80), 7: (64, 64), 8: (0, 96)}), "diffschmtinv": ("SCHMITT", {1: (0, 48), 2: (0, 80), 6: (64, 64), 8: (0, 96)}),
    "buf": ("BUF", {1: (0, 64), 6: (64, 80), 7: (64, 48), 8: (0, 96)}), "buf1": ("BUF", {1: (0, 64), 7: (64, 64), 8: (0, 80)}),
    "inv": ("BUF", {1: (0, 64), 6: (64, 64), 8: (0, 80)}), "varistor": ("VARISTOR", {1: (-32, 48), 2: (-32, 80), 7: (-16, 32), 8: (-16, 96)}),
    "modulate": ("MODULATOR", {1: (0, 0), 2: (0, 64), 7: (144, 32), 8: (0, 96)}), "modulate2": ("MODULATOR", {1: (0, 0), 2: (0, 64), 6: (144, 64), 7: (144, 0), 8: (0, 96)}), "sample": ("SAMPLEHOLD", {1: (-80, -32), 2: (-80, 0), 3: (-80, 32), 4: (-80, 64), 7: (96, 16), 8: (-80, 96)}),
}
OPAMP = Symbol(_OPAMP, {"Prefix": "X"})  # of every op-amp in LTspice's Opamps folder


def read_symbol(text: str) -> Symbol:
    """An ``.asy`` file: pins by SpiceOrder, and its attributes."""
    pins: list[list] = []
    attributes: dict[str, str] = {}
    block = False
    for line in text.splitlines():
        found = line.split(None, 2)
        if len(found) < 2:
            continue
        try:
            if found[0] == "PIN":
                numbers = line.split()
                pins.append([int(numbers[1]), int(numbers[2]), len(pins) + 1000, ""])
            elif found[0] == "PINATTR" and pins and found[1] == "SpiceOrder":
                pins[-1][2] = int(found[2])
            elif found[0] == "PINATTR" and pins and found[1] == "PinName":
                pins[-1][3] = found[2].strip() if len(found) > 2 else ""
            elif found[0] == "SYMATTR":
                attributes[found[1]] = found[2].strip() if len(found) > 2 else ""
            elif found[0] == "SymbolType":
                block = found[1].upper() == "BLOCK"
        except (ValueError, IndexError):
            continue  # a damaged line of a picture: the pins that are left say enough
    pins.sort(key=lambda pin: pin[2])
    return Symbol(tuple((x, y) for x, y, _, _ in pins), attributes, tuple(name for *_, name in pins), block and "Prefix" not in attributes)
