"""Newton's linear algebra written out for one block: Jacobian, residual, elimination and substitution as straight lines.

Eliminated without pivoting, with inverses on the diagonal; a bad pivot shows as a step that is not finite or does not converge. Beyond
`UNROLL_PORTS` the caller works in loops instead.
"""

from __future__ import annotations

from circuits.nodal.emitted_laws import Slopes
from circuits.nodal.source_text import Text

UNROLL_PORTS = 10  # an unrolled elimination grows with the cube: 8 s of compiling at 10 ports, three minutes at 17


def jacobian(text: Text, b: int, lo: int, n: int, slopes: Slopes) -> None:
    """m = I - K dw/dq of a block."""
    for r in range(n):
        for i in range(n):
            terms = "".join(f" - {text.number('KT', c, lo + r)} * {name}" for (c, port), name in slopes.items() if port == lo + i and text.K[c, lo + r])
            text.say(f"m{b}_{r}_{i} = {'1.0' if r == i else '0.0'}{terms}")


def eliminate(text: Text, b: int, n: int) -> None:
    """LU factors in place."""
    for k in range(n):
        text.say(f"m{b}_{k}_{k} = 1.0 / m{b}_{k}_{k}")
        for i in range(k + 1, n):
            text.say(f"m{b}_{i}_{k} *= m{b}_{k}_{k}")
            for r in range(k + 1, n):
                text.say(f"m{b}_{i}_{r} -= m{b}_{i}_{k} * m{b}_{k}_{r}")


def residual(text: Text, b: int, lo: int, n: int) -> None:
    """d = o + K w - q."""
    for i in range(n):
        terms = "".join(f" + w{c} * {text.number('KT', c, lo + i)}" for c in sorted(text.block_columns(b)) if text.K[c, lo + i])
        text.say(f"d{i} = o{lo + i} - q{lo + i}{terms}")


def substitute(text: Text, b: int, n: int) -> None:
    """Solve with the factors; d becomes the solution."""
    for i in range(1, n):
        text.say(f"d{i} -= " + " + ".join(f"m{b}_{i}_{k} * d{k}" for k in range(i)))
    for i in range(n - 1, -1, -1):
        if i < n - 1:
            text.say(f"d{i} -= " + " + ".join(f"m{b}_{i}_{k} * d{k}" for k in range(i + 1, n)))
        text.say(f"d{i} *= m{b}_{i}_{i}")
