"""Straight-line source for one circuit: only structural nonzeros, laws inlined, Newton blocks unrolled, numbers left as data.

The source depends on the circuit's structure alone, so a turned control needs no compiling (`circuits.nodal.compiled` does that), and one that is
being turned plays here too: the model's numbers are read anew at each row of its `Course`. It
contains our identifiers and whole numbers, never a word of a netlist.

Where its plain Newton fails it returns the index of the sample, which the guarded solver of `circuits.nodal.transient` then plays in its
place. That solver is also its oracle: both solve the same equations to the same tolerance.
"""

from __future__ import annotations

import numpy as np

from circuits.nodal import emitted_algebra as algebra
from circuits.nodal import transient
from circuits.nodal.emitted_algebra import UNROLL_PORTS
from circuits.nodal.emitted_laws import Slopes, write_laws
from circuits.nodal.model import DkModel
from circuits.nodal.source_text import Scalars, Text

UNROLL_STATES = 8  # more states are multiplied in a loop, with all sums still in registers
_NUMBERS = ("F_", "f0_", "KT_", "WT_")  # locals of what a course moves
UNROLL_UPDATE = 20  # more states take the laws' outputs in loops


_MODULE = '''"""Emitted from a circuit's structure; see circuits.nodal.emitted."""

from circuits.kernels.jit import kernel
{imports}


@kernel(solver=True, straight=True)
def run(model, motion, course, u, y, first, last, tolerance, tally):
    F, f0, KT, WT, limits, bend = model.F, model.f0, model.KT, model.WT, model.limits, model.bend
    constants, tape_constants, a, keep = model.laws.constants, model.laws.tape_constants, model.a, model.keep
    iterations, worst, residual = 0, 0, tally.residual[0]
    failed = False
    n = first
    begin, end = first, first
{head}
    while begin < last and not failed:
        end = last
        if course.every > 0:
            row = (begin - first + course.phase) // course.every
            for k in range(len(course.present)):
                course.present[k] = course.rows[row, k]
            end = first + (row + 1) * course.every - course.phase
            end = end if end < last else last
{numbers}
{body}
        begin = end
    tally.counts[0] += iterations
    tally.counts[1] = max(tally.counts[1], worst)
    tally.residual[0] = residual
{tail}
    return n if failed else last
'''


def source(model: DkModel) -> str:
    """The module's text for a model; equal for all control positions of a circuit."""
    text = Text(model, Scalars())
    text.depth += 1
    _sample(text)
    numbers = [line for line in text.head if line.lstrip().startswith(_NUMBERS)]
    head = [line for line in text.head if line not in numbers]
    return _MODULE.format(imports=text.import_lines(), head="\n".join(head), numbers="\n".join(f"    {line}" for line in numbers), body="\n".join(text.lines), tail=write_tail(text))


def same_structure(first: DkModel, second: DkModel) -> bool:
    """True if both models have the same source, found without writing it."""
    a, b = first.arrays, second.arrays
    pairs = [*zip(first.patterns, second.patterns), (a.limits != 0.0, b.limits != 0.0)]
    names = ("block_start", "law_start", "direct", "column_start", "columns", "earlier_start", "earlier", "charge")
    pairs += [(getattr(a, name), getattr(b, name)) for name in names]
    # constants decide which diodes are pairs; parameters of a device are rarely controls, so equality is the common case
    pairs += list(zip(a.laws, b.laws))
    return all(np.array_equal(x, y) for x, y in pairs)


def _unrolled(text: Text) -> bool:
    return text.n_states <= UNROLL_STATES


def _sample(text: Text) -> None:
    text.head += [f"    h{j} = motion.h[{j}]" for j in range(text.n_states)] if _unrolled(text) else ["    h = motion.h"]
    text.head += [f"    q{k} = motion.q[{k}]\n    p{k} = motion.p[{k}]" for k in range(text.n_ports)]
    text.head += [f"    w{c} = motion.w[{c}]" for c in range(len(text.arrays.KT))]
    text.head += [f"    c{c} = motion.charge[{c}]" for c in np.flatnonzero(text.arrays.charge)]
    text.say("for n in range(begin, end):")
    text.depth += 1
    _predict(text)
    if text.n_ports:
        text.say("used = 0")
        for b in range(len(text.arrays.direct)):
            write_block(text, b)
    _update(text)
    text.depth -= 1


def _predict(text: Text) -> None:
    for j in range(text.n_moving):
        text.say(f"u{j} = u[n, {j}]")
    for k in range(text.n_out):
        terms = [text.number("f0", k)] if text.f0[k] else []
        terms += [f"u{j} * {text.number('F', text.n_states + j, k)}" for j in range(text.n_moving) if text.F[text.n_states + j, k]]
        if _unrolled(text):
            terms += [f"h{j} * {text.number('F', j, k)}" for j in range(text.n_states) if text.F[j, k]]
        text.say(f"o{k} = " + (" + ".join(terms) or "0.0"))
    if not _unrolled(text):
        text.say(f"for j in range({text.n_states}):")
        text.say("    v = h[j]")
        for k in range(text.n_out):
            if text.F[:text.n_states, k].any():
                text.say(f"    o{k} += v * F[j, {k}]")


def _update(text: Text) -> None:
    first = text.n_ports
    wide = text.n_states > UNROLL_UPDATE
    if wide:  # the columns of w are added in loops
        for k in range(text.n_states):
            text.say(f"h[{k}] += o{first + k}")
        for c in range(len(text.arrays.KT)):
            if text.W[c, :text.n_states].any():
                text.say(f"for k in range({text.n_states}):")
                text.say(f"    h[k] += w{c} * WT[{c}, k]")
    for k in range(text.n_states if wide else 0, text.n_states + text.n_outputs):
        terms = "".join(f" + w{c} * {text.number('WT', c, k)}" for c in range(len(text.arrays.KT)) if text.W[c, k])
        target = (f"h{k}" if _unrolled(text) else f"h[{k}]") if k < text.n_states else f"y[{k - text.n_states}, n]"
        text.say(f"{target} {'+=' if k < text.n_states else '='} o{first + k}{terms}")
    for c in np.flatnonzero(text.arrays.charge):
        text.say(f"c{c} += (1.0 + keep) * w{c}")
    if text.n_ports:
        text.say("iterations += used")
        text.say("worst = max(worst, used)")


def write_tail(text: Text) -> str:
    """Lines behind the loop that put back what changed."""
    lines = [f"    motion.h[{j}] = h{j}" for j in range(text.n_states)] if _unrolled(text) else []
    lines += [f"    motion.q[{k}] = q{k}\n    motion.p[{k}] = p{k}" for k in range(text.n_ports)]
    lines += [f"    motion.w[{c}] = w{c}" for c in range(len(text.arrays.KT))]
    lines += [f"    motion.charge[{c}] = c{c}" for c in np.flatnonzero(text.arrays.charge)]
    for b, n in enumerate(text.model.block_sizes):
        if not text.arrays.direct[b]:
            lines.append(f"    motion.ready[{b}] = 2 * ready{b}")
            if n <= UNROLL_PORTS:
                lines += [f"    motion.M[{b}, {i}, {k}] = m{b}_{i}_{k}" for i in range(n) for k in range(n)]
    return "\n".join(lines)


def write_block(text: Text, b: int) -> None:
    """A block of ports: start, Newton, and what is kept."""
    a = text.arrays
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
    text.head += [f"    ready{b} = motion.ready[{b}] == 2"]  # 2 marks factors of an emitted kernel, 1 those of the table
    if n <= UNROLL_PORTS:
        text.head += [f"    m{b}_{i}_{k} = motion.M[{b}, {i}, {k}]" for i in range(n) for k in range(n)]
    else:
        text.head += [f"    M{b} = motion.M[{b}]", f"    v{b} = motion.pivots[{b}]", f"    b{b} = motion.b"]
    for r in range(lo, hi):
        text.say(f"s{r} = q{r}")
    text.say(f"if ready{b}:")
    text.depth += 1
    for i in range(n):
        text.say(f"d{i} = o{lo + i} - p{lo + i}")
    _substitute(text, b, n)
    _finite(text, n)
    text.say("if finite:")
    text.depth += 1
    _move(text, lo, n, count_cuts=False)
    text.depth -= 2
    text.say("good = False")
    text.say("error = 0.0")
    patience = steps_of(text, lo, hi)
    if patience < transient.CREEPING:
        text.say("least = 1e300")
        text.say("stuck = 0")
    text.say(f"for iteration in range({transient.CREEPING}):")
    text.depth += 1
    text.say("used += 1")
    slopes = write_laws(text, b, lo, hi)
    if n <= UNROLL_PORTS:
        algebra.jacobian(text, b, lo, n, slopes)
        algebra.eliminate(text, b, n)
        algebra.residual(text, b, lo, n)
    else:
        _wide(text, b, lo, n, slopes)
    _substitute(text, b, n)
    _finite(text, n)
    text.say("if not finite:")
    text.say("    break")
    _move(text, lo, n, count_cuts=True)
    text.say("if error <= tolerance and not cut:")
    text.say("    good = True")
    text.say("    break")
    if patience < transient.CREEPING:
        text.say("stuck = 0 if error < 0.5 * least else stuck + 1")
        text.say("least = error if stuck == 0 else least")
        text.say(f"if stuck > 2 and iteration >= {patience - 1}:")
        text.say("    break")
    text.depth -= 1
    text.say("if not good:")
    text.depth += 1
    for r in range(lo, hi):
        text.say(f"q{r} = s{r}")
    text.say("failed = True")
    text.say("break")
    text.depth -= 1
    for (c, port), name in slopes.items():
        text.say(f"w{c} += {name} * d{port - lo}")
    text.say("residual = max(residual, error)")
    text.say(f"ready{b} = True")
    for r in range(lo, hi):
        text.say(f"p{r} = o{r}")


def steps_of(text: Text, lo: int, hi: int) -> int:
    """Plain Newton steps after which the guarded solver begins to damp them."""
    return transient.CREEPING if text.arrays.limits[[0, 2], lo:hi].any() else transient.PLAIN


def _wide(text: Text, b: int, lo: int, n: int, slopes: Slopes) -> None:
    """Jacobian, factors and residual of a wide block in loops, with pivoting."""
    text.say(f"for i in range({n}):")
    text.say(f"    for r in range({n}):")
    text.say(f"        M{b}[i, r] = 0.0")
    text.say(f"    M{b}[i, i] = 1.0")
    for (c, port), name in slopes.items():
        text.say(f"for r in range({n}):")
        text.say(f"    M{b}[{port - lo}, r] -= KT[{c}, {lo} + r] * {name}")
    text.say(f"if not {text.need('circuits.kernels.dense', 'factor')}(M{b}, v{b}, {n}):")
    text.say("    break")
    for i in range(n):
        text.say(f"b{b}[{i}] = o{lo + i} - q{lo + i}")
    for c in text.block_columns(b):
        text.say(f"for r in range({n}):")
        text.say(f"    b{b}[r] += w{c} * KT[{c}, {lo} + r]")
    for i in range(n):
        text.say(f"d{i} = b{b}[{i}]")


def _substitute(text: Text, b: int, n: int) -> None:
    """d becomes the solution."""
    if n <= UNROLL_PORTS:
        algebra.substitute(text, b, n)
        return
    for i in range(n):
        text.say(f"b{b}[{i}] = d{i}")
    text.say(f"{text.need('circuits.kernels.dense', 'substitute')}(M{b}, v{b}, b{b}, {n})")
    for i in range(n):
        text.say(f"d{i} = b{b}[{i}]")


def _finite(text: Text, n: int) -> None:
    total = " + ".join(f"abs(d{i})" for i in range(n))
    text.say(f"finite = {total} < 1e300")


def _move(text: Text, lo: int, n: int, count_cuts: bool) -> None:
    """Apply d with limits; with ``count_cuts`` also the largest error that is left and whether a limit cut the step."""
    limits = text.arrays.limits
    if count_cuts:
        text.say("cut = False")
        text.say("error = 0.0")
    for i in range(n):
        r = lo + i
        if count_cuts:
            text.say(f"error = max(error, d{i} * d{i} * {text.number('bend', r)})")
        if not limits[:, r].any():
            text.say(f"q{r} += d{i}")
            continue
        limited = text.need("circuits.kernels.limits", "limited")
        arguments = ", ".join(text.number("limits", k, r) if limits[k, r] else "0.0" for k in range(5))
        text.say(f"new = {limited}(q{r}, d{i}, {arguments})")
        if count_cuts:
            text.say(f"cut = cut or new != q{r} + d{i}")
        text.say(f"q{r} = new")
