"""Op-amps, tube rectifiers, transconductance amplifiers, vactrols and cores written out as sources, resistors and capacitors.

For simulators that have none of their own; the equations are those of `circuits.devices`, where the papers are named.
"""

from __future__ import annotations

import math

from circuits.circuit import GROUND, Card, Element
from circuits.devices.core import MU0, paired
from circuits.devices.hysteresis import CREEP, LEAST, QUIET
from circuits.devices.hysteresis import MEMORY as MAGNETISATION
from circuits.devices.ldr import BLEND, MEMORY, REFERENCE
from circuits.devices.junction import thermal_voltage
from circuits.devices.opamp import COMPENSATION, HOLD, KNEE
from circuits.elements import (BehaviouralCurrent, Capacitor, CurrentControlledVoltage, Device, IdealTransformer, Inductor, Nullor, Resistor,
                               VoltageControlledCurrent, VoltageControlledVoltage, VoltageSource)
from circuits.errors import CircuitError
from circuits.expressions import Call, Expression, Number, Voltage, as_expression

LEAK = 1e12        # ohms at the magnetomotive force and the turn's voltage, which only current sources feed
SERIES = 0.1       # of Langevin's function
SOFT_KNEE = 50.0  # above it ln(1 + exp(x)) is x to all digits


def _f(operation: str, *arguments) -> Expression:
    return Call(operation, tuple(as_expression(argument) for argument in arguments))


def _softplus(x: Expression) -> Expression:
    return _f("add", _f("ln", _f("add", 1.0, _f("exp", _f("min", x, SOFT_KNEE)))), _f("max", _f("sub", x, SOFT_KNEE), 0.0))


def _across(plus: str, minus: str) -> Expression:
    return Number(0.0) if plus == minus else (_f("neg", Voltage(minus)) if plus == GROUND else Voltage(plus, minus))


def opamp(device: Device, v: dict[str, float]) -> list[Element]:
    """A stage of limited current into one pole between the rails, a follower, and the output resistance."""
    name = device.name
    plus, minus, *rails, out = device.nodes
    if len(rails) == 1:
        raise CircuitError(f"{device.name} has 4 nodes, an op-amp has 3 or 5", place=device.place, element=device.name)
    high, low = rails or (GROUND, GROUND)
    head, foot = (v["head"], v["foot"]) if rails else (v["head"] - v["vcc"], v["foot"] + v["vee"])
    g, limit = 2.0 * math.pi * v["gbw"] * COMPENSATION, v["slew"] * COMPENSATION
    inner, free = f"{name}.p", f"{name}.o"
    clamp = _f("mul", limit / HOLD * KNEE, _f("sub", _softplus(_f("div", _f("add", _across(inner, high), head), KNEE)),
                                              _softplus(_f("div", _f("sub", foot, _across(inner, low)), KNEE))))
    stage = _f("mul", limit, _f("tanh", _f("div", _f("mul", g, _f("add", _across(plus, minus), v["vos"])), limit)))
    made: list[Element] = [
        BehaviouralCurrent(f"{name}.stage", (inner, GROUND), _f("sub", clamp, stage), device.place), Capacitor(f"{name}.cp", (inner, GROUND), COMPENSATION, place=device.place),
        Resistor(f"{name}.rp", (inner, GROUND), v["aol"] / g, device.place), Resistor(f"{name}.rin", (plus, minus), v["rin"], device.place),
        VoltageControlledVoltage(f"{name}.e", (free if v["rout"] > 0.0 else out, GROUND, inner, GROUND), 1.0, device.place)]
    if v["rout"] > 0.0:
        made.append(Resistor(f"{name}.rout", (free, out), v["rout"], device.place))
    return made


def opamp_ideal(device: Device, v: dict[str, float]) -> list[Element]:
    """A nullor."""
    plus, minus, *_, out = device.nodes
    return [Nullor(f"{device.name}.n", (plus, minus, out, GROUND), device.place)]


def rectifier(device: Device, v: dict[str, float]) -> list[Element]:
    """Child's law for each plate."""
    cathode = device.nodes[-1]
    return [BehaviouralCurrent(f"{device.name}.{k}", (plate, cathode), _f("mul", v["k"] * v.get("m", 1.0), _f("pow", _f("uramp", _across(plate, cathode)), 1.5)), device.place)
            for k, plate in enumerate(device.nodes[:-1])]


def _junction(device: Device, v: dict[str, float], nodes: tuple[str, str], emission: float, sensed: str) -> list[Element]:
    """A diode whose current, in amperes, is the voltage of the node ``sensed``."""
    name = device.name
    card = Card(f"{name}.junction", "d", {"is": v["is"], "n": emission, "eg": v["eg"], "tnom": v["tnom"], **({"xti": v["xti"]} if "xti" in v else {})})
    values = {key: device.values[key] for key in ("temp", "dtemp") if key in device.values}
    return [Device(f"{name}.d", (nodes[0], f"{name}.k"), card, values, device.place), VoltageSource(f"{name}.sense", (f"{name}.k", nodes[1]), place=device.place),
            CurrentControlledVoltage(f"{name}.h", (sensed, GROUND), f"{name}.sense", 1.0, device.place)]


def ota(device: Device, v: dict[str, float]) -> list[Element]:
    """The bias pin's two junctions, and their current steered by tanh of the input voltage."""
    name = device.name
    plus, minus, out, bias, low = device.nodes
    celsius = f"{name}.bias"
    # two junctions in series: one of twice the emission coefficient, whose IS moves with EG and XTI as a single one's does
    doubled = {**v, "eg": 2.0 * v["eg"], "xti": 2.0 * v["xti"]}
    pair = 2.0 * thermal_voltage(_celsius(device))
    steered = _f("mul", _f("mul", -v["gain"], Voltage(celsius)), _f("tanh", _f("div", _across(plus, minus), pair)))
    return [*_junction(device, doubled, (bias, low), 2.0, celsius), BehaviouralCurrent(f"{name}.o", (out, GROUND), steered, device.place),
            Resistor(f"{name}.rin", (plus, minus), v["rin"], device.place), Resistor(f"{name}.rout", (out, GROUND), v["rout"], device.place)]


def _celsius(device: Device) -> float:
    """The device's own temperature, else 27: the circuit's is not known here."""
    return float(device.values.get("temp", 27.0)) + float(device.values.get("dtemp", 0.0))


def ldr(device: Device, v: dict[str, float]) -> list[Element]:
    """LED, light (at once, or in a memory with attack and decay), and the cell's power law."""
    name = device.name
    first, second, anode, cathode = device.nodes
    made: list[Element] = []
    if v["rs"] > 0.0:
        made.append(Resistor(f"{name}.rs", (anode, f"{name}.a"), v["rs"], device.place))
        anode = f"{name}.a"
    lamp = f"{name}.lamp"
    made += _junction(device, {**v, "xti": 3.0}, (anode, cathode), v["n"], lamp)
    attack, decay = (v["attack"] or v["decay"]), (v["decay"] or v["attack"])
    light: Expression = _f("div", Voltage(lamp), REFERENCE)
    if attack > 0.0:
        state = f"{name}.light"
        x = _f("sub", light, Voltage(state))
        rate = _f("add", 0.5 * MEMORY * (1.0 / attack + 1.0 / decay), _f("mul", 0.5 * MEMORY * (1.0 / attack - 1.0 / decay), _f("tanh", _f("div", x, BLEND))))
        made += [BehaviouralCurrent(f"{name}.b", (GROUND, state), _f("mul", rate, x), device.place), Capacitor(f"{name}.c", (state, GROUND), MEMORY, place=device.place)]
        light = Voltage(state)
    bright = _f("add", 1.0 / v["rdark"], _f("mul", 1.0 / v["rref"], _f("pwr", _f("max", light, 1e-12), v["gamma"])))
    made.append(BehaviouralCurrent(f"{name}.r", (first, second), _f("div", _f("mul", bright, _across(first, second)), _f("add", 1.0, _f("mul", v["rmin"], bright))), device.place))
    return made


def _windings(device: Device, v: dict[str, float]) -> tuple[list[Element], tuple[str, str], float]:
    """One winding as it is; several as transformers to one turn at a node of their own. Elements, the nodes of the winding, its turns."""
    (pair, *others), (n, *_) = paired(device, v)
    if not others:
        return [], pair, n
    turn = f"{device.name}.w"
    made: list[Element] = [IdealTransformer(f"{device.name}.t{k}", (*ends, turn, GROUND), turns, device.place)
                           for k, (ends, turns) in enumerate(zip(*paired(device, v)), 1)]
    return [*made, Resistor(f"{device.name}.turn", (turn, GROUND), LEAK, device.place)], (turn, GROUND), 1.0


def core(device: Device, v: dict[str, float]) -> list[Element]:
    """Windings, a gyrator to the magnetic side, the field strength as the voltage of a node, and the flux whose derivative is the turn's voltage."""
    name = device.name
    made, pair, n = _windings(device, v)
    force, field, rate = f"{name}.f", f"{name}.h", f"{name}.dt"
    h = Voltage(field)
    if "hc" in v:
        k = v["hc"] * (v["bs"] / v["br"] - 1.0)
        up, down = _f("add", h, v["hc"]), _f("sub", h, v["hc"])
        b = _f("mul", 0.5 * v["bs"], _f("add", _f("div", up, _f("add", _f("abs", up), k)), _f("div", down, _f("add", _f("abs", down), k))))
    else:
        b = _f("mul", 2.0 / math.pi * v["bs"], _f("atan", _f("mul", 0.5 * math.pi * MU0 * (v["mur"] - 1.0) / v["bs"], h)))
    b = _f("add", b, _f("mul", MU0, h))
    path = _f("add", _f("mul", v["lm"], h), _f("mul", v["lg"] / MU0, b)) if v["lg"] > 0.0 else _f("mul", v["lm"], h)
    # amperes of the magnetic side are webers a second; the field's node balances the ampere-turns
    return [*made, VoltageControlledCurrent(f"{name}.i", (*pair, force, GROUND), 1.0 / n, device.place),
            VoltageControlledCurrent(f"{name}.v", (GROUND, force, *pair), 1.0 / n, device.place),
            BehaviouralCurrent(f"{name}.field", (field, GROUND), _f("mul", 1e-3, _f("sub", path, Voltage(force))), device.place),
            BehaviouralCurrent(f"{name}.flux", (GROUND, rate), _f("mul", v["a"], b), device.place), Inductor(f"{name}.l", (rate, GROUND), 1.0, place=device.place),
            VoltageControlledCurrent(f"{name}.rate", (force, GROUND, rate, GROUND), 1.0, device.place), Resistor(f"{name}.leak", (force, GROUND), LEAK, device.place)]


def _langevin(x: Expression) -> tuple[Expression, Expression]:
    """coth x - 1/x and its derivative; below `SERIES` their series, above it the closed forms of an argument that is kept away from 0."""
    size = _f("max", _f("abs", x), SERIES)
    y = _f("mul", x, x)
    small = _f("mul", x, _f("sub", 1.0 / 3.0, _f("mul", y, _f("sub", 1.0 / 45.0, _f("mul", y, _f("sub", 2.0 / 945.0, _f("div", y, 4725.0)))))))
    large = _f("mul", _f("sgn", x), _f("sub", _f("div", 1.0, _f("tanh", size)), _f("div", 1.0, size)))
    sloped = _f("sub", 1.0 / 3.0, _f("mul", y, _f("sub", 1.0 / 15.0, _f("mul", y, _f("sub", 2.0 / 189.0, _f("div", y, 675.0))))))
    far = _f("sinh", _f("min", size, 300.0))
    steep = _f("sub", _f("div", 1.0, _f("mul", size, size)), _f("div", 1.0, _f("mul", far, far)))
    within = _f("lt", _f("abs", x), SERIES)
    return _f("if", within, small, large), _f("if", within, sloped, steep)


def core_ja(device: Device, v: dict[str, float]) -> list[Element]:
    """Windings and gyrator as for a core without memory; the magnetisation j in a capacitor whose current is the law's, and the flux whose derivative is the turn's voltage."""
    name = device.name
    made, pair, n = _windings(device, v)
    force, state, rate = f"{name}.f", f"{name}.j", f"{name}.dt"
    j, w = Voltage(state), _f("div", _across(*pair), n)
    h = _f("div", _f("sub", Voltage(force), _f("mul", v["lg"] * v["ms"], j)), v["lm"] + v["lg"])
    curve, slope = _langevin(_f("div", _f("add", h, _f("mul", v["alpha"] * v["ms"], j)), v["a"]))
    pinned = (1.0 - v["c"]) * v["k"]
    driven = _f("max", _f("mul", _f("mul", v["ms"], _f("sub", curve, j)), _f("tanh", _f("div", w, QUIET * v["area"]))), 0.0)
    stuck = _f("div", _f("mul", 1.0 - v["c"], driven), _f("max", _f("sub", pinned, _f("mul", v["alpha"], driven)), LEAST * pinned))
    smooth = _f("mul", v["ms"] / v["a"], slope)
    chi = _f("div", _f("add", stuck, _f("mul", v["c"], smooth)), _f("max", _f("sub", 1.0, _f("mul", v["c"] * v["alpha"], smooth)), LEAST))
    turned = _f("mul", 1.0 / (MU0 * v["ms"] * v["area"]), _f("mul", _f("div", chi, _f("add", 1.0, chi)), w))
    gone = _f("neg", _f("mul", MAGNETISATION, _f("add", turned, _f("div", _f("sub", curve, j), CREEP))))
    flux = _f("mul", MU0 * v["area"], _f("add", h, _f("mul", v["ms"], j)))
    return [*made, VoltageControlledCurrent(f"{name}.i", (*pair, force, GROUND), 1.0 / n, device.place),
            VoltageControlledCurrent(f"{name}.v", (GROUND, force, *pair), 1.0 / n, device.place),
            Capacitor(f"{name}.c", (state, GROUND), MAGNETISATION, place=device.place), BehaviouralCurrent(f"{name}.m", (state, GROUND), gone, device.place),
            BehaviouralCurrent(f"{name}.flux", (GROUND, rate), flux, device.place), Inductor(f"{name}.l", (rate, GROUND), 1.0, place=device.place),
            VoltageControlledCurrent(f"{name}.rate", (force, GROUND, rate, GROUND), 1.0, device.place), Resistor(f"{name}.leak", (force, GROUND), LEAK, device.place)]


BLOCKS = {"opamp": opamp, "opamp_ideal": opamp_ideal, "rectifier": rectifier, "ota": ota, "ldr": ldr, "core": core, "core_arctan": core, "core_ja": core_ja}
