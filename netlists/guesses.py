"""Symbols whose file is not there: what they are by their name, and where their pins are by the loose ends of wires around them.

An end is loose if no other wire, no flag and no pin of a known symbol meets it there. What stood in is told by the caller.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Callable

from circuits.devices import catalogue
from netlists.nets import Point
from netlists.symbols import CENTRED_OPAMP, STOCK, UPRIGHT_OPAMP, Symbol

_OPAMP_LIKE = re.compile(r"(tl0|lm[1-9]|lme|ne5|sa5|lf[34]|rc4|jrc|nj[mu]|opa|ad[78]|ca31|mc1|mc3|ua7|lt[c16]|op\d\d|mcp6|ts9|ba[14]|m52|op-?amp)\w*", re.IGNORECASE)
_OTA_LIKE = re.compile(r"(lm13[67]00|ca3080|ca3280|ota)\w*", re.IGNORECASE)
_POT_LIKE = re.compile(r"(pot|potentiomet|trim|rheostat)\w*", re.IGNORECASE)
_TRANSISTOR_LIKE = re.compile(r"(2s[abcd]|2n|bc|bd|mj|tip|tt[ac]|ksc|ksa|s[89]0|ss?[89]0|mps)\d*\w*", re.IGNORECASE)
# op-amps that LTspice draws by itself for a subcircuit: in+ in- V+ V- out (seen in drawings whose wires tell)
_DRAWN_OPAMPS = (((-80, -16), (-80, 16), (-16, -48), (-16, 48), (32, 0)), ((-96, 0), (-96, 32), (-96, -32), (96, 32), (96, -32)))
_DRAWN_OTA = ((-112, 32), (-112, -32), (48, 0), (16, 80), (-32, 80))  # in+ in- out bias V-
_PENTODES = (STOCK["tetrode"].pins, STOCK["nk_pentode_ll"].pins, STOCK["nk_pentode_lr"].pins, STOCK["nk_pentode_rr"].pins, ((0, -64), (48, 0), (-48, 16), (-32, 64)))
_TRIODES = (STOCK["triode"].pins, STOCK["nk_triode_l"].pins, STOCK["nk_triode_r"].pins)
_BIPOLARS = (((32, -16), (-16, 16), (32, 48)), STOCK["npn"].pins)
_POTS = (((16, 96), (16, 16), (-16, 48)), ((16, 96), (16, 16), (64, 64)), ((16, 96), (16, 16), (-16, 64)))


@dataclass(frozen=True, slots=True)
class Guess:
    """A symbol, and the kind of part that it is taken for."""

    symbol: Symbol
    kind: str


def guessed(name: str, values: tuple[str, ...], fits: Callable[[tuple[Point, ...]], bool], loose: Callable[[tuple[Point, ...]], bool]) -> Guess | None:
    """What a symbol without a file is, or None.

    Parameters
    ----------
    name : str
        With its folders.
    values : tuple of str
        What the drawing says is its model.
    fits, loose : callable
        Whether all these points of the symbol lie on something of the drawing; whether on loose ends.
    """
    base = name.replace("\\", "/").split("/")[-1]
    named = (base, *values)
    kinds = {card.kind for card in map(catalogue.find, named) if card is not None} | {base.lower().split("_")[-1]}

    def one_of(layouts, prefix: str, kind: str, met) -> Guess | None:
        found = next((pins for pins in layouts if met(pins)), None)
        return None if found is None else Guess(Symbol(found, {"Prefix": prefix, "Value": base if prefix == "X" and kind != "opamp" else base.upper()}), kind)

    if any(_OTA_LIKE.fullmatch(word) for word in named):
        return one_of((_DRAWN_OTA,), "X", "ota", loose)
    if any(_OPAMP_LIKE.fullmatch(word) for word in named):
        return one_of((UPRIGHT_OPAMP, CENTRED_OPAMP), "X", "opamp", fits) or one_of(_DRAWN_OPAMPS, "X", "opamp", loose)
    if any(_POT_LIKE.fullmatch(word) for word in named):
        found = one_of(_POTS, "X", "potentiometer", loose)
        return None if found is None else Guess(Symbol(found.symbol.pins, {"Prefix": "X", "Value": "Rtot=10k", "SpiceModel": "potentiometer", "SpiceLine": "wiper=.5"}), found.kind)
    if any(_TRANSISTOR_LIKE.fullmatch(word) for word in named):
        return one_of(_BIPOLARS, "X", "npn", loose)
    if "triode" in kinds:
        return one_of(_TRIODES, "X", "triode", fits)
    if kinds & {"pentode", "tetrode"}:
        return one_of(_PENTODES, "X", "pentode", fits) or one_of(_TRIODES, "X", "triode", loose)
    if catalogue.find(base) is None and (stock := STOCK["nmos"].pins) and re.fullmatch(r"(irf|bs|buz|2sk|2sj|fq|st)\w*\d\w*", base, re.IGNORECASE) and loose(stock):
        return Guess(Symbol(stock, {"Prefix": "MN", "Value": base.upper()}), "nmos")
    return one_of(_PENTODES, "X", "pentode", loose) or one_of(_TRIODES, "X", "triode", loose)
