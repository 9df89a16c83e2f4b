"""What the figures of an alignment say against a score: upside down, out of step, another level, more or less drive, clocks that drift.

An error-to-signal ratio of 4 is not a bad model but a swapped pair of wires, and one of 0.5 to 1 beside a high coherence is a matter of time, tone or level. Who
reads the table should not have to know that.
"""

from __future__ import annotations

import math

from validation.align import Alignment

POOR = 0.1  # of the target's energy: an error worth a reason
SHARE = 0.25  # of the error that would be left if the reason were taken out: less, and it is the reason
BENT = 0.25  # of what a gain leaves: if no linear filter takes off three quarters of it either, the two are bent differently
DRIVEN = 0.5  # dB of crest factor: what drive changes and a plain gain does not
SURE = 5.0  # standard errors of a drift
SEEN = 0.5  # samples by which the clocks come apart over the whole: less is not worth a word


def doubts(alignment: Alignment, mode: str, error: float, seconds: float, sample_rate: float, crest: float = 0.0) -> tuple[str, ...]:
    """Remarks on one candidate, with the figures that were measured; empty if there is nothing to say.

    Parameters
    ----------
    alignment : Alignment
    mode : {"none", "latency", "latency+gain"}
        What was taken out before scoring.
    error : float
        The error-to-signal ratio that stands in the table.
    seconds, sample_rate : float
        Length of what was compared, and Hz.
    crest : float
        Crest factor of the candidate less that of the target, dB: positive for less drive.

    Examples
    --------
    >>> upside_down = Alignment(0.0, -1, 1.0, 0.0, 0.0, 0.1, 1.0, 4.0, 4.0, 0.0)
    >>> doubts(upside_down, "latency", 4.0, 1.0, 48000.0)
    ('upside down against the target: ESR 4, and under 1e-9 turned over (--align latency+gain does that)',)
    """
    found = []
    one = alignment
    whole = one.esr_after
    bent = abs(crest) >= DRIVEN and 1.0 - one.coherence > BENT * whole
    drive = f"{'less' if crest > 0.0 else 'more'} drive" if bent else ""
    peaks = f"its crest factor is {abs(crest):.2f} dB {'higher' if crest > 0.0 else 'lower'}"
    if one.polarity < 0:
        figures = f"ESR {one.esr_latency:.3g}, and {_figure(whole)} turned over"
        found.append(f"upside down against the target: {figures} " + (
            "(done before scoring)" if mode == "latency+gain" else "(--align latency+gain does that)"))
    out_of_step = mode == "none" and abs(one.latency) >= 1.0 and error > POOR and one.esr_latency < SHARE * error
    if out_of_step:
        found.append(f"{_late(one.latency)} ({1e3 * abs(one.latency) / sample_rate:.2f} ms): ESR {error:.3g}, and {_figure(one.esr_latency)} in step (--align latency does that)")
    elif mode != "latency+gain" and one.polarity >= 0 and error > POOR and whole < SHARE * error:
        found.append(f"another level{' and ' + drive if drive else ''}: ESR {error:.3g}, and {_figure(whole)} after {one.gain_db:+.2f} dB (--align latency+gain does that)"
                     + (f"; {peaks}, and no linear filter brings it under {_figure(1.0 - one.coherence)}" if drive else ""))
    if not found and error > POOR and 1.0 - one.coherence < SHARE * error:
        explained = f"a linear filter of it would explain {100.0 * one.coherence:.1f} % of the target"
        found.append(f"{drive} than the target: ESR {error:.3g}, {peaks}, and {explained}" if drive else
                     f"ESR {error:.3g} although {explained}: another tone, or out of step; look at the frequency response")
    apart = 1e-6 * abs(one.drift) * seconds * sample_rate
    if math.isfinite(one.drift) and abs(one.drift) > SURE * one.drift_error and apart >= SEEN:
        found.append(f"the clocks drift by {one.drift:.2f} ± {one.drift_error:.2f} ppm, {apart:.1f} samples over {seconds:.1f} s; this is not taken out")
    return tuple(found)


def _figure(error: float) -> str:
    return f"{error:.3g}" if error >= 1e-9 else "under 1e-9"  # what is left is rounding


def _late(latency: float) -> str:
    return f"{abs(latency):.2f} samples {'late' if latency > 0.0 else 'early'}"
