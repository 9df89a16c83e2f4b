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
UPRIGHT_OPAMP = ((-32, 80), (-32, 48), (0, 32), (0, 96), (32, 64))
CENTRED_OPAMP = ((-32, 16), (-32, -16), (0, -32), (0, 32), (32, 0))

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
    "pote": _stock("X", "Rt=1K", (16, 32), (16, 96), (-16, 64), SpiceModel="Pot", Value2="Set=.5"), "opamp5": _stock("X", "", *UPRIGHT_OPAMP, SpiceModel="level1"),
    "potentiometer-1": _stock("X", "Rtot=10k", *_TALL, (64, 64), SpiceModel="potentiometer", SpiceLine="wiper=.5"),
    "triodeh": _stock("X", "", (0, -48), (-48, 0), (-32, 48), (-16, 64), (16, 64), SpiceModel="Triode"),
    "dio_gz34": _stock("X", "", (0, -48), (64, -48), (0, 48), SpiceModel="GZ34RY"), "diode_tube": _stock("X", "diode", (0, -48), (-32, 48)),
    "nk_triode_l": _stock("X", "", (0, -64), (-32, 0), (-16, 64), SpiceModel="12AX7"), "nk_triode_r": _stock("X", "", (0, -64), (32, 0), (16, 64), SpiceModel="12AX7"),
    "nk_pentode_ll": _stock("X", "", (0, -64), (-48, 0), (-48, 16), (-16, 64), SpiceModel="EF86"),
    "nk_pentode_lr": _stock("X", "", (0, -64), (48, 0), (-48, 16), (-16, 64), SpiceModel="EF86"),
    "nk_pentode_rr": _stock("X", "", (0, -64), (48, 0), (48, 16), (-16, 64), SpiceModel="EF86"),
    "triode": _stock("X", "Triode", (0, -48), (-48, 0), (-32, 48)), "tetrode": _stock("X", "Tetrode", (0, -48), (48, 0), (-48, 16), (-32, 64)),
    "pentode": _stock("X", "Pentode", (-32, 64), (-48, 16), (48, 0), (-48, -16), (0, -64)),
    "opamp": _stock("X", "opamp", (-32, 48), (-32, 80), (32, 64), SpiceLine="Aol=100K", SpiceLine2="GBW=10Meg"), "opamp2": _stock("X", "opamp2", *UPRIGHT_OPAMP),
    **{name: _stock("X", name.upper(), (-32, 80), (-32, 48), (16, 32), (0, 96), (32, 64), (-16, 32), (0, 32)) for name in ("lm308", "lm108a", "lt1008")},
    "universalopamp": _stock("X", "", *CENTRED_OPAMP, SpiceModel="level1", Value2="Avol=1Meg GBW=10Meg Vos=0"),
    **{name: _stock("X", "", *CENTRED_OPAMP, SpiceModel="level2", Value2="Avol=1Meg GBW=10Meg Slew=10Meg", SpiceLine="Ilimit=25m Rail=0 Vos=0")
       for name in ("universalopamp2", "universalopamps", "universalopamps2", "universalopamp3", "universalopamp4")},
    **{name: _stock("X", "Rt=10K set=.5", (16, 96), (16, 16), (64, 64), SpiceModel="potentiometer") for name in ("pot", "potentiometer")},
    **{name: _stock("X", "Rtot=10K wiper=.5", *_TALL, (64, 64), SpiceModel="potentiometer")
       for name in ("potentiometer_standard", "potentiometr", "potentiometer 2", "potentiometer10t", "potentiometereu")},
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
# the op-amps of LTspice's Opamps folder whose five pins are where `opamp2` has them, and where the universal op-amp has them
_UPRIGHT = frozenset("""
ad549 ad711 ad712 ad713 ad744 ad746 ad795 ad8030 ad8031 ad8032 ad8033 ad8034 ad8038 ad8039 ad8040 ad8041a ad8042a ad8044a ad8047 ad8065
ad8066 ad8067 ad8091 ad8092 ad811 ad815 ad820 ad822 ad823 ad823a ad824 ad8505 ad8506 ad8508 ad8510 ad8512 ad8513 ad8515 ad8538 ad8539 ad8541
ad8542 ad8544 ad8546 ad8548 ad8551 ad8552 ad8554 ad8565 ad8571 ad8572 ad8574 ad8601 ad8602 ad8604 ad8605 ad8606 ad8608 ad8613 ad8614 ad8617
ad8619 ad8624 ad8628 ad8629 ad8630 ad8634 ad8641 ad8642 ad8643 ad8648 ad8657 ad8662 ad8663 ad8664 ad8665 ad8666 ad8667 ad8668 ad8669 ad8671
ad8672 ad8674 ad8675 ad8676 ad8682 ad8684 ad8691 ada4000 ada4000-1 ada4000-2 ada4000-4 ada4051 ada4077 ada4077-1 ada4077-2 ada4077-4 ada4091
ada4092 ada4096 ada4500 ada4505 ada4522 ada4522-1 ada4522-2 ada4522-4 ada4528 ada4528-1 ada4528-2 ada4610 ada4622 ada4625 ada4625-1
ada4625-2 ada4627 ada4637 ada4661-2 ada4665 ada4666-2 ada4700-1 ada4807-4 ada4891 ada4891-1 ada4891-2 ada4891-4 ada4896 ada4896-2 adtl082
adtl084 lmc6081 lt1001 lt1001a lt1001s8 lt1002 lt1002a lt1006 lt1006a lt1006s8 lt1007 lt1007a lt1007cs lt1012 lt1012a lt1012d lt1012s8
lt1013 lt1013a lt1013d lt1014 lt1014a lt1014d lt1022 lt1022a lt1024 lt1024a lt1028 lt1028a lt1028cs lt1037 lt1037a lt1037cs lt1055 lt1055a
lt1055s8 lt1056 lt1056a lt1056s8 lt1057 lt1057a lt1057s lt1058 lt1058a lt1077 lt1077a lt1078 lt1078a lt1079 lt1079a lt1097 lt1112 lt1113
lt1114 lt1115 lt1122 lt1124 lt1125 lt1126 lt1127 lt1128 lt1169 lt1178 lt1178a lt1179 lt1179a lt1208 lt1209 lt1211 lt1212 lt1213 lt1214
lt1215 lt1216 lt1217 lt1220 lt1221 lt1223 lt1224 lt1225 lt1226 lt1227 lt1229 lt1230 lt1252 lt1253 lt1254 lt1259 lt1260 lt1352 lt1353 lt1354
lt1355 lt1356 lt1357 lt1358 lt1359 lt1361 lt1362 lt1363 lt1364 lt1365 lt1366 lt1367 lt1368 lt1369 lt1395 lt1396 lt1397 lt1413 lt1413a lt1462
lt1463 lt1464 lt1465 lt1466 lt1466l lt1467 lt1467l lt1468 lt1468-2 lt1469 lt1469-2 lt1490 lt1490a lt1491 lt1492 lt1493 lt1495 lt1496 lt1497
lt1498 lt1499 lt1630 lt1631 lt1632 lt1633 lt1638 lt1639 lt1677 lt1722 lt1723 lt1724 lt1792 lt1793 lt1797 lt1800 lt1807 lt1810 lt1813 lt1881
lt1884 lt1886 lt2078 lt2078a lt2079 lt2079a lt2178 lt2178a lt2179 lt2179a ltc1047 ltc1049 ltc1050 ltc1050a ltc1051 ltc1051a ltc1052
ltc1052cs ltc1053 ltc1150 ltc1151 ltc1250 ltc7652 max40077 max40078 max40079 max410 max4124 max4128 max4162 max4163 max4164 max4230 max4232
max4352 max4353 max4354 max44241 max44243 max44244 max44245 max44246 max44248 max4434 max4436 max4489 op07 op113 op1177 op177a op191 op213
op2177 op227 op27 op284 op291 op292 op296 op37 op413 op4177 op491 op492 op495 op727 op747 op77 op777 opamp2 rh1028 rh1056a rh1128 rh1498
rh27c rh37c
""".split())
_CENTRED = frozenset("""
ad8618 ada4177 ada4177-1 ada4177-2 ada4177-4 lt118a lt1360 lt1494 lt1801 lt1802 lt1814 lt1880 lt1882 lt1885 lt318a lt6002 lt6003 lt6004
lt6005 lt6015 lt6016 lt6017 lt6220 lt6221 lt6222 lt6274 lt6275 ltc6078 ltc6079 ltc6082 ltc6085 ltc6088 ltc6240 ltc6241 ltc6242 ltc6244
ltc6244hv rh1814
""".split())


def opamp_symbol(name: str) -> Symbol | None:
    """The symbol of an op-amp of LTspice's own folder, by its lower-case name; None for one whose pins lie elsewhere.

    Examples
    --------
    >>> opamp_symbol("lt1001").pins[4], opamp_symbol("lt1010")
    ((32, 64), None)
    """
    pins = UPRIGHT_OPAMP if name in _UPRIGHT else CENTRED_OPAMP if name in _CENTRED else None
    return None if pins is None else Symbol(pins, {"Prefix": "X", "Value": name.upper()})


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
