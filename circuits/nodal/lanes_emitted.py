"""Source for one circuit with a vector for every number: as many variants of it side by side as the vector has lanes.

The same structure and the same laws as `circuits.nodal.emitted`, in the dialect of `circuits.kernels.lanes`. Newton goes on until every lane has
converged. A lane that has converged stays at its last point, so that further rounds repeat its numbers to the last bit: its result
does not depend on its neighbours. A lane whose plain Newton fails is told to the caller, who plays that sample with the guarded solver.
"""

from __future__ import annotations

import numpy as np

from circuits.kernels import limits
from circuits.kernels import operations as operation_kernels
from circuits.kernels.lane_form import LaneForm, NoLaneForm
from circuits.nodal import emitted_algebra as algebra
from circuits.nodal.emitted import steps_of
from circuits.nodal.emitted_algebra import UNROLL_PORTS
from circuits.nodal.emitted_laws import Slopes, write_laws
from circuits.nodal.model import DkModel
from circuits.nodal.source_text import Text

UNROLL_STATES = 8  # more states are multiplied in a loop

_MODULE = '''"""Emitted from a circuit's structure; see circuits.nodal.lanes_emitted."""

{imports}

INFINITY, NAN = float("inf"), float("nan")


{forms}


@kernel(bare=True)
def run(model, motion, u, y, first, last, tolerance, tally):
    F, f0, KT, WT, limits, bend = model.F, model.f0, model.KT, model.WT, model.limits, model.bend
    constants, tape_constants, a, keep = model.constants, model.tape_constants, model.a, model.keep
    zero = spread(0.0, {count})
    none = zero > 0.0
    iterations, worst, residual = load(tally.iterations, 0, {count}), load(tally.worst, 0, {count}), load(tally.residual, 0, {count})
    failed = none
    length = y.shape[1]
    n = first
{head}
{body}
    store(tally.iterations, 0, iterations)
    store(tally.worst, 0, worst)
    store(tally.residual, 0, residual)
    store(tally.failed, 0, where(failed, 1.0, zero))
{tail}
    return n if any_of(failed) else last
'''


class Vectors:
    """The dialect of a vector for each number; see `circuits.nodal.source_text.Dialect`."""

    def __init__(self, model: DkModel, count: int):
        a = model.arrays
        self.count = count
        self.forms = LaneForm()
        self._widths = {"F": len(a.f0), "KT": a.KT.shape[1], "WT": a.WT.shape[1], "limits": a.limits.shape[1]}

    def number(self, array: str, indices: tuple[int, ...]) -> str:
        """See `Dialect`."""
        row = indices[0] * self._widths[array] + indices[1] if len(indices) > 1 else indices[0]
        return f"load({array}, {row}, {self.count})"

    def law(self, text: Text, function, constants: type, at: int, name: str, arguments: list[str], results: list[str]) -> None:
        """See `Dialect`; a law without a lane form is called lane by lane."""
        kind = text.need(constants.__module__, constants.__name__)
        text.before(f"{name} = constants_of({kind}, constants, {at}, {self.count})")
        try:
            text.say(f"{', '.join(results)} = {self.forms.of(function)}({', '.join(arguments)}, {name})")
            return
        except NoLaneForm:
            called = text.need(function.py_func.__module__, function.py_func.__name__)
        for result in results:
            text.say(f"{result} = zero")
        parts = [f"l{k}" for k in range(len(results))]
        text.say(f"for lane in range({self.count}):")
        given = [f"-item({one[1:]}, lane)" if one.startswith("-") else f"item({one}, lane)" for one in arguments]
        each = ", ".join(f"item({name}.{field}, lane)" for field in constants._fields)
        text.say(f"    {', '.join(parts)} = {called}({', '.join(given)}, {kind}({each}))")
        for result, part in zip(results, parts):
            text.say(f"    {result} = put({result}, lane, {part})")

    def operation(self, text: Text, kind: str, code: int, arguments: tuple[str, ...]) -> str:
        """See `Dialect`."""
        return f"{self.forms.of(getattr(operation_kernels, kind), code=code)}({', '.join(arguments)})"

    def limited(self) -> str:
        """The lane form of a limited step."""
        return self.forms.of(limits.limited)


def source(model: DkModel, count: int) -> str:
    """The module's text for a model and a number of lanes; equal for all control positions of a circuit."""
    text = Text(model, Vectors(model, count))
    for name in ("any_of", "constants_of", "item", "load", "magnitude", "put", "spread", "store", "where"):
        text.need("circuits.kernels.lanes", name)
    text.need("circuits.kernels.lane_math", "most")
    _sample(text)
    tail = _tail(text)
    text.imports |= text.dialect.forms.imports
    return _MODULE.format(imports=text.import_lines(), forms=text.dialect.forms.text, count=count, head="\n".join(text.head),
                          body="\n".join(text.lines), tail=tail)


def _unrolled(text: Text) -> bool:
    return text.n_states <= UNROLL_STATES


def _sample(text: Text) -> None:
    L, rows = text.dialect.count, text.head
    if _unrolled(text):
        rows += [f"    h{j} = load(motion.h, {j}, {L})" for j in range(text.n_states)]
    else:
        rows.append("    h = motion.h")
    rows += [f"    q{k} = load(motion.q, {k}, {L})\n    p{k} = load(motion.p, {k}, {L})" for k in range(text.n_ports)]
    rows += [f"    w{c} = zero" for c in range(len(text.arrays.KT))]
    rows += [f"    c{c} = load(motion.charge, {c}, {L})" for c in np.flatnonzero(text.arrays.charge)]
    text.say("for n in range(first, last):")
    text.depth += 1
    _predict(text)
    if text.n_ports:
        text.say("used = zero")
        for b in range(len(text.arrays.direct)):
            _block(text, b)
        kept = [f"    store(motion.kept_h, {j}, {f'h{j}' if _unrolled(text) else f'load(h, {j}, {L})'})" for j in range(text.n_states)]
        kept += [f"    store(motion.kept_charge, {c}, c{c})" for c in np.flatnonzero(text.arrays.charge)]
        for line in ["if any_of(failed):", *kept] if kept else []:  # what the failed lanes need to play this sample again
            text.say(line)
    _update(text)
    if text.n_ports:
        text.say("if any_of(failed):")
        text.say("    break")
    text.depth -= 1


def _predict(text: Text) -> None:
    L = text.dialect.count
    for j in range(text.n_moving):
        text.say(f"u{j} = load(u, n * {text.n_moving} + {j}, {L})")
    for k in range(text.n_out):
        terms = [text.number("f0", k)] if text.f0[k] else []
        terms += [f"u{j} * {text.number('F', text.n_states + j, k)}" for j in range(text.n_moving) if text.F[text.n_states + j, k]]
        if _unrolled(text):
            terms += [f"h{j} * {text.number('F', j, k)}" for j in range(text.n_states) if text.F[j, k]]
        text.say(f"o{k} = " + (" + ".join(terms) or "zero"))
    if not _unrolled(text):
        text.say(f"for j in range({text.n_states}):")
        text.say(f"    v = load(h, j, {L})")
        for k in range(text.n_out):
            if text.F[:text.n_states, k].any():
                text.say(f"    o{k} += v * load(F, j * {text.n_out} + {k}, {L})")


def _update(text: Text) -> None:
    L, first = text.dialect.count, text.n_ports
    for k in range(text.n_states + text.n_outputs):
        terms = "".join(f" + w{c} * {text.number('WT', c, k)}" for c in range(len(text.arrays.KT)) if text.W[c, k])
        value = f"o{first + k}{terms}"
        if k >= text.n_states:
            text.say(f"store(y, {k - text.n_states} * length + n, {value})")
        elif _unrolled(text):
            text.say(f"h{k} += {value}")
        else:
            text.say(f"store(h, {k}, load(h, {k}, {L}) + ({value}))")
    for c in np.flatnonzero(text.arrays.charge):
        text.say(f"c{c} += (1.0 + keep) * w{c}")
    if text.n_ports:
        text.say("used = where(failed, 0.0, used)")  # the guarded solver counts its own
        text.say("iterations += used")
        text.say("worst = most(worst, used)")


def _tail(text: Text) -> str:
    lines = [f"    store(motion.h, {j}, h{j})" for j in range(text.n_states)] if _unrolled(text) else []
    lines += [f"    store(motion.q, {k}, q{k})\n    store(motion.p, {k}, p{k})" for k in range(text.n_ports)]
    lines += [f"    store(motion.charge, {c}, c{c})" for c in np.flatnonzero(text.arrays.charge)]
    for b, n in enumerate(text.model.block_sizes):
        if not text.arrays.direct[b]:
            lines.append(f"    store(motion.ready, {b}, where(ready{b}, 1.0, zero))")
            if n <= UNROLL_PORTS:
                lines += [f"    store(motion.M, {_place(text, b, i, k)}, m{b}_{i}_{k})" for i in range(n) for k in range(n)]
    return "\n".join(lines)


def _place(text: Text, b: int, i: int, k: int) -> int:
    """Row of an entry of a block's matrix."""
    sizes = text.model.block_sizes
    return sum(n * n for n in sizes[:b]) + i * sizes[b] + k


def _block(text: Text, b: int) -> None:
    """A block of ports: start, Newton until every lane has converged, and what is kept."""
    a, L = text.arrays, text.dialect.count
    lo, hi = int(a.block_start[b]), int(a.block_start[b + 1])
    for c in text.earlier_columns(b):
        for r in range(lo, hi):
            if text.K[c, r]:
                text.say(f"o{r} += w{c} * {text.number('KT', c, r)}")
    if a.direct[b]:
        text.say(f"q{lo} = o{lo}")
        write_laws(text, b, lo, hi)
        return
    n = hi - lo
    text.head.append(f"    ready{b} = load(motion.ready, {b}, {L}) > 0.5")
    if n <= UNROLL_PORTS:
        text.head += [f"    m{b}_{i}_{k} = load(motion.M, {_place(text, b, i, k)}, {L})" for i in range(n) for k in range(n)]
    for r in range(lo, hi):
        text.say(f"s{r} = q{r}")
    text.say(f"if any_of(ready{b}):")
    text.depth += 1
    for i in range(n):
        text.say(f"d{i} = o{lo + i} - p{lo + i}")
    _substitute(text, b, n)
    text.say(f"moved = ready{b} & ({_total(n)} < 1e300)")
    for i in range(n):
        text.say(f"q{lo + i} = where(moved, {_limited(text, lo + i, i)}, q{lo + i})")
    text.depth -= 1
    text.say("alive = ~failed")
    text.say("done = none")
    text.say("error = zero")
    text.say(f"for iteration in range({steps_of(text, lo, hi)}):")
    text.depth += 1
    text.say("used = where(alive, used + 1.0, used)")
    slopes = write_laws(text, b, lo, hi)
    if n <= UNROLL_PORTS:
        algebra.jacobian(text, b, lo, n, slopes)
        algebra.eliminate(text, b, n)
    else:
        _wide(text, b, lo, n, slopes)
    algebra.residual(text, b, lo, n)
    _substitute(text, b, n)
    text.say(f"alive = alive & ({_total(n)} < 1e300)")
    text.say("size = zero")
    text.say("cut = none")
    for i in range(n):
        text.say(f"size = most(size, d{i} * d{i} * {text.number('bend', lo + i)})")
        if a.limits[:, lo + i].any():
            text.say(f"e{i} = {_limited(text, lo + i, i)}")
            text.say(f"cut = cut | (e{i} != q{lo + i} + d{i})")
    text.say("settled = alive & (size <= tolerance) & ~cut")
    text.say("error = where(settled, size, error)")
    text.say("done = done | settled")
    text.say("alive = alive & ~settled")
    text.say("if not any_of(alive):")
    text.say("    break")
    for i in range(n):
        text.say(f"q{lo + i} = where(alive, {f'e{i}' if a.limits[:, lo + i].any() else f'q{lo + i} + d{i}'}, q{lo + i})")
    text.depth -= 1
    for (c, port), name in slopes.items():
        text.say(f"w{c} += {name} * d{port - lo}")
    for i in range(n):
        text.say(f"q{lo + i} = where(done, q{lo + i} + d{i}, s{lo + i})")
        text.say(f"p{lo + i} = where(done, o{lo + i}, p{lo + i})")
    text.say("residual = most(residual, error)")
    text.say(f"ready{b} = done")
    text.say("failed = failed | ~done")


def _wide(text: Text, b: int, lo: int, n: int, slopes: Slopes) -> None:
    """Jacobian and factors of a wide block in loops."""
    L, start = text.dialect.count, _place(text, b, 0, 0)
    ports = text.n_ports
    text.say(f"for i in range({n * n}):")
    text.say(f"    store(motion.M, {start} + i, zero)")
    text.say(f"for i in range({n}):")
    text.say(f"    store(motion.M, {start} + i * {n + 1}, zero + 1.0)")
    for (c, port), name in slopes.items():
        text.say(f"for r in range({n}):")
        at = f"{start + port - lo} + r * {n}"
        text.say(f"    store(motion.M, {at}, load(motion.M, {at}, {L}) - load(KT, {c * ports + lo} + r, {L}) * {name})")
    text.say(f"{text.need('circuits.kernels.lane_dense', 'factor_lanes')}(motion.M, {start}, {n}, {L})")


def _substitute(text: Text, b: int, n: int) -> None:
    """d becomes the solution."""
    if n <= UNROLL_PORTS:
        algebra.substitute(text, b, n)
        return
    for i in range(n):
        text.say(f"store(motion.b, {i}, d{i})")
    text.say(f"{text.need('circuits.kernels.lane_dense', 'substitute_lanes')}(motion.M, {_place(text, b, 0, 0)}, motion.b, {n}, {text.dialect.count})")
    for i in range(n):
        text.say(f"d{i} = load(motion.b, {i}, {text.dialect.count})")


def _total(n: int) -> str:
    return "(" + " + ".join(f"magnitude(d{i})" for i in range(n)) + ")"


def _limited(text: Text, r: int, i: int) -> str:
    """A port after a limited step."""
    limits_of = text.arrays.limits[:, r]
    if not limits_of.any():
        return f"q{r} + d{i}"
    arguments = ", ".join(text.number("limits", k, r) if limits_of[k] else "zero" for k in range(5))
    return f"{text.dialect.limited()}(q{r}, d{i}, {arguments})"
