"""A block's laws written out: those of the catalogue as calls, behavioural ones as their operations with exact slopes.

Equal diodes that stand antiparallel on one port become one law with one exponential.
"""

from __future__ import annotations

import numpy as np

from circuits.devices.diode import DIODE, diode_pair
from circuits.devices.table import LAWS
from circuits.kernels.operations import OPERATIONS
from circuits.nodal.source_text import OPERATION, Text

_LAW = {law.code: law for law in LAWS.values()}
_OPERATORS = {"add": "{0} + {1}", "sub": "{0} - {1}", "mul": "{0} * {1}", "div": "{0} / {1}", "neg": "-{0}"}
Slopes = dict[tuple[int, int], str]


def write_laws(text: Text, b: int, lo: int, hi: int) -> Slopes:
    """Write the evaluation of a block's laws into w; returns the names of dw/dq by (column, port of the block)."""
    t = text.arrays.laws
    outputs: dict[int, list[str]] = {c: [] for c in text.block_columns(b)}
    slopes: dict[tuple[int, int], list[str]] = {}
    first, last = int(text.arrays.law_start[b]), int(text.arrays.law_start[b + 1])
    paired = pairs(text, first, last)
    for law in range(first, last):
        if law in paired.values():
            continue
        inputs = [(int(t.input_index[i]), t.input_sign[i]) for i in range(t.input_start[law], t.input_start[law + 1])]
        rows = [(int(t.output_column[o]), t.output_sign[o], bool(t.output_charge[o])) for o in range(t.output_start[law], t.output_start[law + 1])]
        values, partials = _evaluated(text, law, inputs, len(rows), pair=law in paired)
        for o, (column, sign, charge) in enumerate(rows):
            outputs[column].append((" + " if sign > 0 else " - ") + (f"(a * {values[o]} - c{column})" if charge and sign > 0 else
                                                                     f"a * {values[o]} - c{column}" if charge else values[o]))
            for i, (port, input_sign) in enumerate(inputs):
                if lo <= port < hi:
                    mark = " + " if sign * input_sign > 0 else " - "
                    slopes.setdefault((column, port), []).append(mark + (f"a * {partials[o][i]}" if charge else partials[o][i]))
    for column, terms in outputs.items():
        text.say(f"w{column} = " + ("".join(terms).removeprefix(" + ") or "0.0"))
    names = {}
    for (column, port), terms in slopes.items():
        names[column, port] = f"g{column}_{port}"
        text.say(f"g{column}_{port} = " + "".join(terms).removeprefix(" + "))
    return names


def pairs(text: Text, first: int, last: int) -> dict[int, int]:
    """Equal diodes that stand antiparallel on one port: the second of each by the first."""
    t = text.arrays.laws
    found: dict[int, int] = {}
    seen: dict[tuple, int] = {}
    for law in range(first, last):
        if t.codes[law] != DIODE.code:
            continue
        i, o = t.input_start[law], t.output_start[law]
        constants = tuple(t.constants[t.constant_start[law]:t.constant_start[law + 1]])
        plain = DIODE.constants(*constants)
        if np.isfinite(plain.breakdown) or plain.knee or plain.recombination:
            continue
        key = (constants, int(t.input_index[i]), int(t.output_column[o]))
        twin = seen.pop((*key, -t.input_sign[i]), None)
        if twin is None:
            seen[(*key, t.input_sign[i])] = law
        else:
            found[twin] = law
    return found


def _evaluated(text: Text, law: int, inputs: list, n_outputs: int, pair: bool):
    """Write one law's evaluation; names of its values and of its slopes."""
    t = text.arrays.laws
    code = int(t.codes[law])
    x = [f"q{port}" if sign > 0 else f"-q{port}" for port, sign in inputs]
    if code == 0:
        return _tape(text, law, x)
    if code == -1:
        g = text.number("constants", int(t.constant_start[law]))
        text.say(f"y{law}_0 = {g} * {x[0]}")
        return [f"y{law}_0"], [[g]]
    spec = _LAW[code]
    values = [f"y{law}_{o}" for o in range(n_outputs)]
    partials = [[f"j{law}_{o}_{i}" for i in range(len(inputs))] for o in range(n_outputs)]
    text.dialect.law(text, diode_pair if pair else spec.function, spec.constants, int(t.constant_start[law]), f"k{law}", x,
                     values + [name for row in partials for name in row])
    return values, partials


def _tape(text: Text, law: int, x: list[str]):
    t = text.arrays.laws
    start, stop = int(t.tape_start[law]), int(t.tape_start[law + 1])
    register: list[str] = []
    for r in range(stop - start):
        code = int(t.tape_codes[start + r])
        if code == 0:
            register.append(text.number("tape_constants", start + r))
        elif code == 1:
            register.append(x[r] if not x[r].startswith("-") else f"({x[r]})")
        else:
            i, j, k = (register[int(m)] if int(m) < len(register) else "0.0" for m in t.tape_arguments[start + r])
            name = OPERATION[code]
            value = _OPERATORS[name].format(i, j) if name in _OPERATORS else text.dialect.operation(text, "apply", code, (i, j, k))
            text.say(f"t{law}_{r} = {value}")
            register.append(f"t{law}_{r}")
    wanted = [f"z{law}_{r}" for r in range(len(x))]
    _adjoints(text, law, start, stop, register, len(x))
    return [register[-1]], [wanted]


def _adjoints(text: Text, law: int, start: int, stop: int, register: list[str], n_inputs: int) -> None:
    """The tape backwards: z is the derivative of the result by each register."""
    t = text.arrays.laws
    terms: dict[int, list[str]] = {stop - start - 1: ["1.0"]}
    moving = _moving_registers(text, start, stop)
    for r in range(stop - start - 1, -1, -1):
        code = int(t.tape_codes[start + r])
        if r < n_inputs or (code > 1 and r in terms):
            text.say(f"z{law}_{r} = " + (" + ".join(terms.get(r, [])) or "0.0"))
        if code <= 1 or r not in terms:
            continue
        _, arity = OPERATIONS[OPERATION[code]]
        arguments = [int(m) for m in t.tape_arguments[start + r][:arity]]
        name, z = OPERATION[code], f"z{law}_{r}"
        plain = {"add": (z, z), "sub": (z, f"-{z}"), "neg": (f"-{z}",),
                 "mul": tuple(f"{z} * {register[m]}" for m in reversed(arguments))}
        if name in plain:
            parts = plain[name]
        elif name == "div":
            below = register[arguments[1]]
            parts = (f"{z} / {below}", f"-{z} * {register[r]} / {below}")
        else:
            values = [register[m] for m in arguments] + ["0.0"] * (3 - arity)
            slots = [f"e{law}_{r}_{k}" for k in range(3)]
            text.say(f"{', '.join(slots)} = " + text.dialect.operation(text, "slopes", code, (*values, register[r])))
            parts = tuple(f"{z} * {slot}" for slot in slots[:arity])
        for m, part in zip(arguments, parts):
            if m in moving:
                terms.setdefault(m, []).append(f"({part})")


def _moving_registers(text: Text, start: int, stop: int) -> set[int]:
    """Registers that depend on a leaf; the others need no derivative."""
    t = text.arrays.laws
    moving: set[int] = set()
    for r in range(stop - start):
        code = int(t.tape_codes[start + r])
        arity = OPERATIONS[OPERATION[code]][1] if code > 1 else 0
        if code == 1 or any(int(m) in moving for m in t.tape_arguments[start + r][:arity]):
            moving.add(r)
    return moving
