"""Takes the helper nodes out of a circuit: voltages that exist only to be read by formulas are put into those formulas.

Tube and op-amp macromodels of SPICE libraries are small signal-flow graphs: sources drive inner nodes, other sources read them by
V(node), and only the last ones carry current between pins. Solved as they stand, each inner node costs a Newton unknown; substituted
symbolically, the tube becomes currents of two or three voltages, and the solution is the same.

Two kinds of helper node are known:

- driven by an ideal voltage source (behavioural, or linear and voltage-controlled) whose current nothing reads, with nothing else at the
  node than resistors and capacitors back to the source's other pin: V(node) = V(other) + E;
- between ground and nothing but resistors, at least one, and controlled current sources: V(node) = sum of currents / sum of conductances.

A node that is an output, has an initial condition, or would be defined by itself stays.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from circuits.circuit import EXPRESSION_TYPES, GROUND, Circuit, Element
from circuits.elements import (BehaviouralCurrent, BehaviouralVoltage, Capacitor, CurrentControlledCurrent, CurrentControlledVoltage,
                               Resistor, VoltageControlledCurrent, VoltageControlledVoltage)
from circuits.errors import CircuitError
from circuits.expressions import Call, Current, Expression, Number, Voltage, as_expression, leaves, transform

MAX_SIZE = 4000  # parts of one formula after substitution, shared ones counted every time: beyond it solving the node is cheaper
MAX_DEPTH = 150  # of its tree, whose walkers are recursive

_CONTROLLED = (VoltageControlledVoltage, VoltageControlledCurrent)
_FORMULA = (BehaviouralVoltage, BehaviouralCurrent)


@dataclass(frozen=True, slots=True)
class _Helper:
    """A node, its voltage as ``sign * drive`` above ``reference``, and the elements that exist only for it."""

    node: str
    reference: str
    drive: Expression
    linear: VoltageControlledVoltage | None
    sign: int
    elements: tuple[str, ...]


def reduce(circuit: Circuit) -> Circuit:
    """The same circuit without its helper nodes.

    Parameters
    ----------
    circuit : Circuit
        Bound to numbers or not.

    Returns
    -------
    Circuit
        With the same solution at all nodes that are left; its notes tell what was reduced.

    Examples
    --------
    >>> helper = BehaviouralVoltage("b1", ("e", "0"), Call("exp", (Voltage("in"),)))
    >>> reader = BehaviouralCurrent("b2", ("out", "0"), Call("mul", (Voltage("e"), Number(2.0))))
    >>> reduce(Circuit((helper, reader, Resistor("r1", ("in", "out"), 1.0)))).element("b2").expression
    Call(operation='mul', arguments=(Call(operation='exp', arguments=(Voltage(plus='in', minus='0'),)), Number(value=2.0)))
    """
    elements = {element.name: element for element in circuit.elements}
    kept = {node for output in circuit.outputs for node in output.split(",")} | set(circuit.initial)
    refused: set[str] = set()
    removed: list[str] = []
    touched: dict[str, None] = {}
    while True:
        helper = _next(elements, kept | refused)
        if helper is None:
            break
        changed = _substituted(elements, helper)
        if changed is None:
            refused.add(helper.node)
            continue
        for name in helper.elements:
            del elements[name]
            touched.pop(name, None)
        elements.update(changed)
        touched.update(dict.fromkeys(changed))
        removed.append(helper.node)
    if not removed:
        return circuit
    nodeset = {node: value for node, value in circuit.nodeset.items() if node not in removed}
    return replace(circuit, elements=tuple(elements.values()), nodeset=nodeset, notes=(*circuit.notes, *_told(removed, touched, elements)))


def _told(removed: list[str], touched: dict[str, None], elements: dict[str, Element]) -> list[str]:
    """One line for each instance: which nodes went, and of what its sources are functions now."""
    groups: dict[str, list[str]] = {}
    for node in removed:
        groups.setdefault(node.rpartition(".")[0], []).append(node.rpartition(".")[2])
    lines = []
    for prefix, nodes in groups.items():
        readers = []
        for name in touched:
            element = elements[name]
            if name.rpartition(".")[0] == prefix and isinstance(element, _FORMULA):
                kind = "voltage" if isinstance(element, BehaviouralVoltage) else "current"
                readers.append(f"{name} is a {kind} of {', '.join(_leaf_text(leaf) for leaf in leaves(element.expression)) or 'nothing'}")
        lines.append(f"reduced {prefix or 'the circuit'}: helper nodes {', '.join(nodes)} are solved symbolically"
                     + (f"; {'; '.join(readers)}" if readers else ""))
    return lines


def _leaf_text(leaf) -> str:
    if isinstance(leaf, Voltage):
        return f"V({leaf.plus})" if leaf.minus == GROUND else f"V({leaf.plus},{leaf.minus})"
    return f"I({leaf.element})" if isinstance(leaf, Current) else "time"


def _next(elements: dict[str, Element], barred: set[str]) -> _Helper | None:
    """The first node that can be taken out."""
    at: dict[str, list[Element]] = {}
    sensed: set[str] = set()
    for element in elements.values():
        connected = element.nodes[:2] if isinstance(element, _CONTROLLED) else element.nodes
        for node in dict.fromkeys(connected):
            at.setdefault(node, []).append(element)
        if isinstance(element, (CurrentControlledCurrent, CurrentControlledVoltage)):
            sensed.add(element.sensor)
        for value in _expressions(element):
            sensed.update(leaf.element for leaf in leaves(value) if isinstance(leaf, Current))
    for node, around in at.items():
        if node != GROUND and node not in barred:
            found = _by_voltage(node, around, sensed) or _by_currents(node, around, sensed)
            if found is not None:
                return found
    return None


def _by_voltage(node: str, around: list[Element], sensed: set[str]) -> _Helper | None:
    drivers = [element for element in around if isinstance(element, (BehaviouralVoltage, VoltageControlledVoltage))]
    if len(drivers) != 1 or drivers[0].name in sensed:
        return None
    driver = drivers[0]
    first, second = driver.nodes[:2]
    other = second if node == first else first
    if first == second:
        return None
    loads = [element for element in around if element is not driver]
    if any(not isinstance(load, (Resistor, Capacitor)) or set(load.nodes) != {node, other} or load.name in sensed for load in loads):
        return None
    linear = driver if isinstance(driver, VoltageControlledVoltage) else None
    if linear is not None:
        control = _between(*driver.nodes[2:])
        drive = Call("mul", (as_expression(driver.gain), control))
    else:
        drive = driver.expression
    if _reads(drive, node):
        return None
    return _Helper(node, other, drive, linear, 1 if node == first else -1, (driver.name, *(load.name for load in loads)))


def _by_currents(node: str, around: list[Element], sensed: set[str]) -> _Helper | None:
    resistors = [element for element in around if isinstance(element, Resistor)]
    drivers = [element for element in around if isinstance(element, (BehaviouralCurrent, VoltageControlledCurrent))]
    if not resistors or len(resistors) + len(drivers) != len(around) or not any(isinstance(driver, BehaviouralCurrent) for driver in drivers):
        return None
    if any(set(element.nodes[:2]) != {node, GROUND} or element.name in sensed for element in around):
        return None
    total: Expression | None = None
    for driver in drivers:
        current = driver.expression if isinstance(driver, BehaviouralCurrent) else Call("mul", (as_expression(driver.gain), _between(*driver.nodes[2:])))
        if driver.nodes[0] == node:
            current = Call("neg", (current,))
        total = current if total is None else Call("add", (total, current))
    if len(resistors) == 1:
        drive = Call("mul", (as_expression(resistors[0].value), total))
    else:
        siemens: Expression | None = None
        for resistor in resistors:
            one = Call("div", (Number(1.0), as_expression(resistor.value)))
            siemens = one if siemens is None else Call("add", (siemens, one))
        drive = Call("div", (total, siemens))
    if _reads(drive, node) or any(isinstance(resistor.value, float) and resistor.value <= 0.0 for resistor in resistors):
        return None
    return _Helper(node, GROUND, drive, None, 1, tuple(element.name for element in around))


def _substituted(elements: dict[str, Element], helper: _Helper) -> dict[str, Element] | None:
    """The elements that read the node, rewritten without it; None if one of them can't be, or would grow too large."""
    def change(part: Expression):
        if not isinstance(part, Voltage) or helper.node not in (part.plus, part.minus):
            return None
        if part.plus == part.minus:
            return Number(0.0)
        drive = helper.drive if helper.sign > 0 else Call("neg", (helper.drive,))
        if part.plus == helper.node:  # V(n, x) = E + V(r, x)
            rest = _between(helper.reference, part.minus)
            return drive if rest == Number(0.0) else Call("add", (drive, rest))
        rest = _between(part.plus, helper.reference)
        return Call("neg", (drive,)) if rest == Number(0.0) else Call("sub", (rest, drive))

    changed: dict[str, Element] = {}
    bent = 0  # linear readers that become formulas
    for element in elements.values():
        if element.name in helper.elements:
            continue
        if isinstance(element, _CONTROLLED) and helper.node in element.nodes[2:]:
            if helper.linear is not None:
                made = _composed(element, helper)
                if made is None:
                    return None
                changed[element.name] = made
                continue
            kind = BehaviouralVoltage if isinstance(element, VoltageControlledVoltage) else BehaviouralCurrent
            formula = Call("mul", (as_expression(element.gain), _between(*element.nodes[2:])))
            element = kind(element.name, element.nodes[:2], formula, element.place)
            bent += 1
        if not any(_reads(value, helper.node) for value in _expressions(element)):
            continue
        if not isinstance(element, _FORMULA):
            return None
        try:
            formula = transform(element.expression, change)
        except CircuitError:  # a constant came out as 1/0 or the like: the solver will name it where it stands
            return None
        if not _small(formula) or _reads(formula, helper.node):
            return None
        changed[element.name] = replace(element, expression=formula)
    return changed if bent <= 1 else None  # two linear readers of one formula are cheaper than two formulas


def _composed(reader, helper: _Helper):
    """A linear reader of a linear helper: one gain, if both voltages count from the same node."""
    plus, minus = reader.nodes[2:]
    if helper.reference not in (plus, minus) or plus == minus:
        return None
    sign = helper.sign if plus == helper.node else -helper.sign
    a, b = reader.gain, helper.linear.gain
    gain = sign * a * b if isinstance(a, float) and isinstance(b, float) else Call(
        "mul", (Call("mul", (Number(float(sign)), as_expression(a))), as_expression(b)))
    return replace(reader, nodes=(*reader.nodes[:2], *helper.linear.nodes[2:]), gain=gain)


def _between(plus: str, minus: str) -> Expression:
    if plus == minus:
        return Number(0.0)
    return Call("neg", (Voltage(minus),)) if plus == GROUND else Voltage(plus, minus)


def _expressions(element: Element) -> list[Expression]:
    if isinstance(element, _FORMULA):
        return [element.expression]
    return [value for item in fields(element) if isinstance(value := getattr(element, item.name), EXPRESSION_TYPES)]


def _reads(expression: Expression, node: str) -> bool:
    return any(isinstance(leaf, Voltage) and node in (leaf.plus, leaf.minus) for leaf in leaves(expression))


def _small(expression: Expression) -> bool:
    """True if a tree is within `MAX_SIZE` and `MAX_DEPTH`."""
    count, waiting = 0, [(expression, 1)]
    while waiting:
        part, depth = waiting.pop()
        count += 1
        if count > MAX_SIZE or depth > MAX_DEPTH:
            return False
        if isinstance(part, Call):
            waiting.extend((argument, depth + 1) for argument in part.arguments)
    return True
