"""From the counts of a sample loop to the report of a run, and to the errors that it must raise."""

from __future__ import annotations

from circuits.errors import ConvergenceError
from circuits.nodal.transient import Tally
from circuits.processor import Run


def counted(run: Run, tally: Tally, start: int, count: int, sample_rate: float) -> Run:
    """The run with one more stretch of ``count`` samples that began at sample ``start``."""
    bad = tuple((start + int(k)) / sample_rate for k in tally.bad if k >= 0)
    times = (run.bad_times + bad)[:16]
    return Run(samples=run.samples + count, bad_samples=run.bad_samples + int(tally.counts[2]),
               first_bad_time=times[0] if times else float("nan"), worst_residual=max(run.worst_residual, float(tally.residual[0])),
               iterations=run.iterations + int(tally.counts[0]), worst_iterations=max(run.worst_iterations, int(tally.counts[1])),
               bad_times=times)


def demand(run: Run, stopped: int | None, sample_rate: float, strict: bool) -> None:
    """Raise ConvergenceError if the loop stopped at a sample that is not finite, or if ``strict`` and a sample did not converge."""
    if stopped is not None:
        time = stopped / sample_rate
        raise ConvergenceError(f"a number is not finite at {time:.6f} s", time=time,
                               mend="Lower the input level, raise --oversample, or look for a circuit that has no bound.")
    if strict and run.bad_samples:
        raise ConvergenceError(f"{run.bad_samples} samples did not converge, the first at {run.first_bad_time:.6f} s", time=run.first_bad_time,
                               mend="Raise --oversample, or leave out --strict to count them only.")
