"""Straight-line source for one circuit: only structural nonzeros, laws inlined, Newton blocks unrolled, numbers left as data.

The source depends on the circuit's structure alone, so a turned control needs no compiling (`circuits.nodal.compiled` does that). It
contains our identifiers and whole numbers, never a word of a netlist.

Where its plain Newton fails it returns the index of the sample, which the guarded solver of `circuits.nodal.transient` then plays in its
place. That solver is also its oracle: both solve the same equations to the same tolerance.
"""

from __future__ import annotations

import numpy as np

from circuits.devices.diode import DIODE
from circuits.devices.table import LAWS
from circuits.kernels.operations import OPERATIONS
from circuits.nodal import transient
from circuits.nodal.model import DkModel

UNROLL_STATES = 8  # more states are multiplied in a loop, with all sums still in registers
UNROLL_UPDATE = 20  # more states take the laws' outputs in loops
UNROLL_PORTS = 10  # an unrolled elimination grows with the cube: 8 s of compiling at 10 ports, three minutes at 17

_LAW = {law.code: law for law in LAWS.values()}
_NAME = {code: name for name, (code, _) in OPERATIONS.items()}
_OPERATORS = {"add": "{0} + {1}", "sub": "{0} - {1}", "mul": "{0} * {1}", "div": "{0} / {1}", "neg": "-{0}"}


class Source:
    """Lines of the module while it grows."""

    def __init__(self, model: DkModel):
        self.model = model
        self.arrays = model.arrays
        self.F, self.f0, self.K, self.W = model.patterns
        self.lines: list[str] = []
        self.head: list[str] = []
        self.imports: set[tuple[str, str]] = set()
        self.depth = 1
        a = self.arrays
        self.n_ports, self.n_states, self.n_outputs = len(model.ports), a.n_states, a.n_outputs
        self.n_moving = self.F.shape[0] - self.n_states
        self.n_out = len(a.f0)

    def say(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def need(self, module: str, name: str) -> str:
        self.imports.add((module, name))
        return name

    def number(self, text: str) -> str:
        """A number that stays the same during a call, read into a local before the loop."""
        name = text.replace("[", "_").replace("]", "").replace(", ", "_")
        line = f"    {name} = {text}"
        if line not in self.head:
            self.head.append(line)
        return name

    # --- the sample -------------------------------------------------------------------------------------------------
    def module(self) -> str:
        self.sample()
        body = "\n".join(self.lines)
        imports = "\n".join(f"from {module} import {name}" for module, name in sorted(self.imports))
        return _MODULE.format(imports=imports, head="\n".join(self.head), body=body, tail=self.tail())

    def sample(self) -> None:
        self.head += [f"    h{j} = motion.h[{j}]" for j in range(self.n_states)] if self.unrolled else ["    h = motion.h"]
        self.head += [f"    q{k} = motion.q[{k}]\n    p{k} = motion.p[{k}]" for k in range(self.n_ports)]
        self.head += [f"    w{c} = motion.w[{c}]" for c in range(len(self.arrays.KT))]
        self.head += [f"    c{c} = motion.charge[{c}]" for c in np.flatnonzero(self.arrays.charge)]
        self.say("for n in range(first, last):")
        self.depth += 1
        self.predict()
        if self.n_ports:
            self.say("used = 0")
            for b in range(len(self.arrays.direct)):
                self.block(b)
        self.update()
        self.depth -= 1

    @property
    def unrolled(self) -> bool:
        return self.n_states <= UNROLL_STATES

    def predict(self) -> None:
        for j in range(self.n_moving):
            self.say(f"u{j} = u[n, {j}]")
        for k in range(self.n_out):
            terms = [self.number(f"f0[{k}]")] if self.f0[k] else []
            terms += [f"u{j} * {self.number(f'F[{self.n_states + j}, {k}]')}" for j in range(self.n_moving) if self.F[self.n_states + j, k]]
            if self.unrolled:
                terms += [f"h{j} * {self.number(f'F[{j}, {k}]')}" for j in range(self.n_states) if self.F[j, k]]
            self.say(f"o{k} = " + (" + ".join(terms) or "0.0"))
        if not self.unrolled:
            self.say(f"for j in range({self.n_states}):")
            self.say("    v = h[j]")
            for k in range(self.n_out):
                if self.F[:self.n_states, k].any():
                    self.say(f"    o{k} += v * F[j, {k}]")

    def update(self) -> None:
        first = self.n_ports
        wide = self.n_states > UNROLL_UPDATE
        if wide:  # the columns of w are added in loops
            for k in range(self.n_states):
                self.say(f"h[{k}] += o{first + k}")
            for c in range(len(self.arrays.KT)):
                if self.W[c, :self.n_states].any():
                    self.say(f"for k in range({self.n_states}):")
                    self.say(f"    h[k] += w{c} * WT[{c}, k]")
        for k in range(self.n_states if wide else 0, self.n_states + self.n_outputs):
            terms = "".join(f" + w{c} * {self.number(f'WT[{c}, {k}]')}" for c in range(len(self.arrays.KT)) if self.W[c, k])
            target = (f"h{k}" if self.unrolled else f"h[{k}]") if k < self.n_states else f"y[{k - self.n_states}, n]"
            self.say(f"{target} {'+=' if k < self.n_states else '='} o{first + k}{terms}")
        for c in np.flatnonzero(self.arrays.charge):
            self.say(f"c{c} += (1.0 + keep) * w{c}")
        if self.n_ports:
            self.say("iterations += used")
            self.say("worst = max(worst, used)")

    def tail(self) -> str:
        lines = [f"    motion.h[{j}] = h{j}" for j in range(self.n_states)] if self.unrolled else []
        lines += [f"    motion.q[{k}] = q{k}\n    motion.p[{k}] = p{k}" for k in range(self.n_ports)]
        lines += [f"    motion.w[{c}] = w{c}" for c in range(len(self.arrays.KT))]
        lines += [f"    motion.charge[{c}] = c{c}" for c in np.flatnonzero(self.arrays.charge)]
        for b, n in enumerate(self.model.block_sizes):
            if not self.arrays.direct[b]:
                lines.append(f"    motion.ready[{b}] = 2 * ready{b}")
                if n <= UNROLL_PORTS:
                    lines += [f"    motion.M[{b}, {i}, {k}] = m{b}_{i}_{k}" for i in range(n) for k in range(n)]
        return "\n".join(lines)

    # --- a block of ports -------------------------------------------------------------------------------------------
    def block(self, b: int) -> None:
        a = self.arrays
        lo, hi = int(a.block_start[b]), int(a.block_start[b + 1])
        for c in a.earlier[a.earlier_start[b]:a.earlier_start[b + 1]]:
            for r in range(lo, hi):
                if self.K[c, r]:
                    self.say(f"o{r} += w{c} * {self.number(f'KT[{c}, {r}]')}")
        if a.direct[b]:
            self.say(f"q{lo} = o{lo}")
            self.laws(b, lo, hi)
            return
        n = hi - lo
        self.head += [f"    ready{b} = motion.ready[{b}] == 2"]  # 2 marks factors of an emitted kernel, 1 those of the table
        if n <= UNROLL_PORTS:
            self.head += [f"    m{b}_{i}_{k} = motion.M[{b}, {i}, {k}]" for i in range(n) for k in range(n)]
        else:
            self.head += [f"    M{b} = motion.M[{b}]", f"    v{b} = motion.pivots[{b}]", f"    b{b} = motion.b"]
        for r in range(lo, hi):
            self.say(f"s{r} = q{r}")
        self.say(f"if ready{b}:")
        self.depth += 1
        for i in range(n):
            self.say(f"d{i} = o{lo + i} - p{lo + i}")
        self.substitute(b, n)
        self.finite(n)
        self.say("if finite:")
        self.depth += 1
        self.move(lo, n, count_cuts=False)
        self.depth -= 2
        self.say("good = False")
        self.say("error = 0.0")
        self.say(f"for iteration in range({transient.PLAIN}):")
        self.depth += 1
        self.say("used += 1")
        slopes = self.laws(b, lo, hi)
        self.jacobian(b, lo, n, slopes)
        self.eliminate(b, n)
        if n > UNROLL_PORTS:
            self.wide_residual(b, lo, n)
        for i in range(n if n <= UNROLL_PORTS else 0):
            columns = sorted({int(c) for c in a.columns[a.column_start[b]:a.column_start[b + 1]] if self.K[c, lo + i]})
            terms = "".join(f" + w{c} * {self.number(f'KT[{c}, {lo + i}]')}" for c in columns)
            self.say(f"d{i} = o{lo + i} - q{lo + i}{terms}")
        self.substitute(b, n)
        self.finite(n)
        self.say("if not finite:")
        self.say("    break")
        self.move(lo, n, count_cuts=True)
        self.say("if error <= tolerance and not cut:")
        self.say("    good = True")
        self.say("    break")
        self.depth -= 1
        self.say("if not good:")
        self.depth += 1
        for r in range(lo, hi):
            self.say(f"q{r} = s{r}")
        self.say("failed = True")
        self.say("break")
        self.depth -= 1
        for (c, port), name in slopes.items():
            self.say(f"w{c} += {name} * d{port - lo}")
        self.say("residual = max(residual, error)")
        self.say(f"ready{b} = True")
        for r in range(lo, hi):
            self.say(f"p{r} = o{r}")

    def wide_residual(self, b: int, lo: int, n: int) -> None:
        a = self.arrays
        for i in range(n):
            self.say(f"b{b}[{i}] = o{lo + i} - q{lo + i}")
        for c in a.columns[a.column_start[b]:a.column_start[b + 1]]:
            self.say(f"for r in range({n}):")
            self.say(f"    b{b}[r] += w{c} * KT[{c}, {lo} + r]")
        for i in range(n):
            self.say(f"d{i} = b{b}[{i}]")

    def finite(self, n: int) -> None:
        total = " + ".join(f"abs(d{i})" for i in range(n))
        self.say(f"finite = {total} < 1e300")

    def move(self, lo: int, n: int, count_cuts: bool) -> None:
        limits = self.arrays.limits
        if count_cuts:
            self.say("cut = False")
            self.say("error = 0.0")
        for i in range(n):
            r = lo + i
            if count_cuts:
                self.say(f"error = max(error, d{i} * d{i} * {self.number(f'bend[{r}]')})")
            if not limits[:, r].any():
                self.say(f"q{r} += d{i}")
                continue
            limited = self.need("circuits.kernels.limits", "limited")
            arguments = ", ".join(self.number(f"limits[{k}, {r}]") if limits[k, r] else "0.0" for k in range(5))
            self.say(f"new = {limited}(q{r}, d{i}, {arguments})")
            if count_cuts:
                self.say(f"cut = cut or new != q{r} + d{i}")
            self.say(f"q{r} = new")

    # --- linear algebra ---------------------------------------------------------------------------------------------
    def jacobian(self, b: int, lo: int, n: int, slopes: dict) -> None:
        if n > UNROLL_PORTS:
            self.say(f"for i in range({n}):")
            self.say(f"    for r in range({n}):")
            self.say(f"        M{b}[i, r] = 0.0")
            self.say(f"    M{b}[i, i] = 1.0")
            for (c, port), name in slopes.items():
                self.say(f"for r in range({n}):")
                self.say(f"    M{b}[{port - lo}, r] -= KT[{c}, {lo} + r] * {name}")
            return
        for r in range(n):
            for i in range(n):
                terms = "".join(f" - {self.number(f'KT[{c}, {lo + r}]')} * {name}" for (c, port), name in slopes.items()
                                if port == lo + i and self.K[c, lo + r])
                self.say(f"m{b}_{r}_{i} = {'1.0' if r == i else '0.0'}{terms}")

    def eliminate(self, b: int, n: int) -> None:
        """LU without pivoting; the diagonal holds inverses. A bad pivot shows as a step that is not finite or does not converge."""
        if n > UNROLL_PORTS:
            self.say(f"if not {self.need('circuits.kernels.dense', 'factor')}(M{b}, v{b}, {n}):")
            self.say("    break")
            return
        for k in range(n):
            self.say(f"m{b}_{k}_{k} = 1.0 / m{b}_{k}_{k}")
            for i in range(k + 1, n):
                self.say(f"m{b}_{i}_{k} *= m{b}_{k}_{k}")
                for r in range(k + 1, n):
                    self.say(f"m{b}_{i}_{r} -= m{b}_{i}_{k} * m{b}_{k}_{r}")

    def substitute(self, b: int, n: int) -> None:
        if n > UNROLL_PORTS:
            for i in range(n):
                self.say(f"b{b}[{i}] = d{i}")
            self.say(f"{self.need('circuits.kernels.dense', 'substitute')}(M{b}, v{b}, b{b}, {n})")
            for i in range(n):
                self.say(f"d{i} = b{b}[{i}]")
            return
        for i in range(1, n):
            self.say(f"d{i} -= " + " + ".join(f"m{b}_{i}_{k} * d{k}" for k in range(i)))
        for i in range(n - 1, -1, -1):
            if i < n - 1:
                self.say(f"d{i} -= " + " + ".join(f"m{b}_{i}_{k} * d{k}" for k in range(i + 1, n)))
            self.say(f"d{i} *= m{b}_{i}_{i}")

    # --- laws -------------------------------------------------------------------------------------------------------
    def laws(self, b: int, lo: int, hi: int) -> dict:
        """Evaluate the laws of a block; returns the names of dw/dq by (column, port of the block)."""
        t = self.arrays.laws
        outputs: dict[int, list[str]] = {int(c): [] for c in self.arrays.columns[self.arrays.column_start[b]:self.arrays.column_start[b + 1]]}
        slopes: dict[tuple[int, int], list[str]] = {}
        first, last = int(self.arrays.law_start[b]), int(self.arrays.law_start[b + 1])
        paired = self.pairs(first, last)
        for law in range(first, last):
            if law in paired.values():
                continue
            inputs = [(int(t.input_index[i]), t.input_sign[i]) for i in range(t.input_start[law], t.input_start[law + 1])]
            rows = [(int(t.output_column[o]), t.output_sign[o], bool(t.output_charge[o])) for o in range(t.output_start[law], t.output_start[law + 1])]
            values, partials = self.evaluate(law, inputs, len(rows), pair=law in paired)
            for o, (column, sign, charge) in enumerate(rows):
                outputs[column].append((" + " if sign > 0 else " - ") + (f"(a * {values[o]} - c{column})" if charge and sign > 0 else
                                                                         f"a * {values[o]} - c{column}" if charge else values[o]))
                for i, (port, input_sign) in enumerate(inputs):
                    if lo <= port < hi:
                        mark = " + " if sign * input_sign > 0 else " - "
                        slopes.setdefault((column, port), []).append(mark + (f"a * {partials[o][i]}" if charge else partials[o][i]))
        for column, terms in outputs.items():
            self.say(f"w{column} = " + ("".join(terms).removeprefix(" + ") or "0.0"))
        names = {}
        for (column, port), terms in slopes.items():
            names[column, port] = f"g{column}_{port}"
            self.say(f"g{column}_{port} = " + "".join(terms).removeprefix(" + "))
        return names

    def pairs(self, first: int, last: int) -> dict[int, int]:
        """Equal diodes that stand antiparallel on one port: the second of each by the first."""
        t = self.arrays.laws
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

    def evaluate(self, law: int, inputs: list, n_outputs: int, pair: bool):
        t = self.arrays.laws
        code = int(t.codes[law])
        x = [f"q{port}" if sign > 0 else f"-q{port}" for port, sign in inputs]
        if code == 0:
            return self.tape(law, x)
        if code == -1:
            g = self.number(f"constants[{int(t.constant_start[law])}]")
            self.say(f"y{law}_0 = {g} * {x[0]}")
            return [f"y{law}_0"], [[g]]
        spec = _LAW[code]
        function = spec.function.py_func
        name = self.need(function.__module__, function.__name__)
        if pair:
            name = self.need(function.__module__, "diode_pair")
        kind = self.need(spec.constants.__module__, spec.constants.__name__)
        at = self.need("circuits.kernels.constants", "constants_at")
        line = f"    k{law} = {at}({kind}, constants, {int(t.constant_start[law])})"
        if line not in self.head:
            self.head.append(line)
        values = [f"y{law}_{o}" for o in range(n_outputs)]
        partials = [[f"j{law}_{o}_{i}" for i in range(len(inputs))] for o in range(n_outputs)]
        self.say(f"{', '.join(values + [name for row in partials for name in row])} = {name}({', '.join(x)}, k{law})")
        return values, partials

    def tape(self, law: int, x: list[str]):
        t = self.arrays.laws
        start, stop = int(t.tape_start[law]), int(t.tape_start[law + 1])
        register: list[str] = []
        for r in range(stop - start):
            code = int(t.tape_codes[start + r])
            if code == 0:
                register.append(self.number(f"tape_constants[{start + r}]"))
            elif code == 1:
                register.append(x[r] if not x[r].startswith("-") else f"({x[r]})")
            else:
                i, j, k = (register[int(m)] if int(m) < len(register) else "0.0" for m in t.tape_arguments[start + r])
                name = _NAME[code]
                text = _OPERATORS[name].format(i, j) if name in _OPERATORS else self.operation("apply", code, (i, j, k))
                self.say(f"t{law}_{r} = {text}")
                register.append(f"t{law}_{r}")
        wanted = [f"z{law}_{r}" for r in range(len(x))]
        self.adjoints(law, start, stop, register, len(x))
        return [register[-1]], [wanted]

    def adjoints(self, law: int, start: int, stop: int, register: list[str], n_inputs: int) -> None:
        """The tape backwards: z is the derivative of the result by each register."""
        t = self.arrays.laws
        terms: dict[int, list[str]] = {stop - start - 1: ["1.0"]}
        moving = self.moving_registers(law, start, stop)
        for r in range(stop - start - 1, -1, -1):
            code = int(t.tape_codes[start + r])
            if r < n_inputs or (code > 1 and r in terms):
                self.say(f"z{law}_{r} = " + (" + ".join(terms.get(r, [])) or "0.0"))
            if code <= 1 or r not in terms:
                continue
            _, arity = OPERATIONS[_NAME[code]]
            arguments = [int(m) for m in t.tape_arguments[start + r][:arity]]
            name, z = _NAME[code], f"z{law}_{r}"
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
                self.say(f"{', '.join(slots)} = " + self.operation("slopes", code, (*values, register[r])))
                parts = tuple(f"{z} * {slot}" for slot in slots[:arity])
            for m, part in zip(arguments, parts):
                if m in moving:
                    terms.setdefault(m, []).append(f"({part})")

    def moving_registers(self, law: int, start: int, stop: int) -> set[int]:
        """Registers that depend on a leaf; the others need no derivative."""
        t = self.arrays.laws
        moving: set[int] = set()
        for r in range(stop - start):
            code = int(t.tape_codes[start + r])
            arity = OPERATIONS[_NAME[code]][1] if code > 1 else 0
            if code == 1 or any(int(m) in moving for m in t.tape_arguments[start + r][:arity]):
                moving.add(r)
        return moving

    def operation(self, kind: str, code: int, arguments: tuple) -> str:
        name = self.need("circuits.kernels.operations", kind)
        return f"{name}({code}, {', '.join(arguments)})"


_MODULE = '''"""Emitted from a circuit's structure; see circuits.nodal.emitted."""

from circuits.kernels.jit import kernel
{imports}


@kernel(bare=True)
def run(model, motion, u, y, first, last, tolerance, tally):
    F, f0, KT, WT, limits, bend = model.F, model.f0, model.KT, model.WT, model.limits, model.bend
    constants, tape_constants, a, keep = model.laws.constants, model.laws.tape_constants, model.a, model.keep
    iterations, worst, residual = 0, 0, tally.residual[0]
    failed = False
    n = first
{head}
{body}
    tally.counts[0] += iterations
    tally.counts[1] = max(tally.counts[1], worst)
    tally.residual[0] = residual
{tail}
    return n if failed else last
'''


def source(model: DkModel) -> str:
    """The module's text for a model; equal for all control positions of a circuit."""
    return Source(model).module()


def same_structure(first: DkModel, second: DkModel) -> bool:
    """True if both models have the same source, found without writing it."""
    a, b = first.arrays, second.arrays
    pairs = [*zip(first.patterns, second.patterns), (a.limits != 0.0, b.limits != 0.0)]
    names = ("block_start", "law_start", "direct", "column_start", "columns", "earlier_start", "earlier", "charge")
    pairs += [(getattr(a, name), getattr(b, name)) for name in names]
    # constants decide which diodes are pairs; parameters of a device are rarely controls, so equality is the common case
    pairs += list(zip(a.laws, b.laws))
    return all(np.array_equal(x, y) for x, y in pairs)
