"""What a comparison found: one frozen description that tables, plots and page read, and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from validation.align import Alignment, apply
from validation.doubts import doubts
from validation.response import Response


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """One signal of a comparison.

    Parameters
    ----------
    label, source : str
        Name in the report; path or description of where it comes from.
    kind : {"recording", "model"}
    digest : str
        SHA-256 of the input file or of the samples.
    samples : ndarray, shape (n_samples,)
        As rendered or read, at the comparison's rate, before alignment.
    loudness : float
        LUFS (BS.1770), of the compared stretch.
    """

    label: str
    source: str
    kind: str
    digest: str
    samples: np.ndarray
    loudness: float = -math.inf


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One candidate and all that was found about it; a failed one has a message and no scores.

    Parameters
    ----------
    label, source, digest, kind : str
        As in `Rendering`.
    message : str
        Why it failed; empty if it did not.
    rendering : Rendering or None
    alignment : Alignment or None
        None if it could not be measured; then a note says why.
    scores, scores_as_is : dict
        Metric name to value, after the comparison's alignment and without any.
    interval : (float, float)
        95 % bootstrap interval of the ESR over segments.
    segments : ndarray, shape (n_segments,)
        ESR of each segment; NaN where the target is silent.
    levels : ndarray, shape (n_bins,)
        ESR of the frames at each level of the target; NaN where there are none.
    real_time_factor : float
        Seconds of audio rendered in a second; NaN for recordings.
    bad_samples : int
        Samples at which a solver did not converge.
    n_parameters, operations : float
        Numbers learned and operations per sample; NaN where a model does not tell.
    response : Response or None
    notes : tuple of str
    """

    label: str
    source: str
    digest: str
    kind: str
    message: str = ""
    rendering: Rendering | None = None
    alignment: Alignment | None = None
    scores: dict = field(default_factory=dict)
    scores_as_is: dict = field(default_factory=dict)
    interval: tuple[float, float] = (math.nan, math.nan)
    segments: np.ndarray = field(default_factory=lambda: np.zeros(0))
    levels: np.ndarray = field(default_factory=lambda: np.zeros(0))
    real_time_factor: float = math.nan
    bad_samples: int = 0
    n_parameters: float = math.nan
    operations: float = math.nan
    response: Response | None = None
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """True if there are no scores."""
        return bool(self.message)


@dataclass(frozen=True, slots=True)
class Pair:
    """Paired test of two candidates over segments.

    Parameters
    ----------
    better, worse : str
        Labels, the lower median error first.
    p_value : float
        Wilcoxon signed-rank test of the logarithms of the segments' errors, two-sided, Holm-corrected for all pairs; NaN if
        there are too few segments to tell.
    share : float
        Share of the segments in which the better one is nearer.
    """

    better: str
    worse: str
    p_value: float
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Everything a report needs.

    Parameters
    ----------
    sample_rate : float
        Hz.
    mode : {"none", "latency", "latency+gain"}
        Alignment under which `Row.scores` were taken.
    target : Rendering
    target_response : Response or None
        If the target is a model.
    dry : Rendering or None
    rows : tuple of Row
        Best ESR first, failed ones last.
    region : (int, int)
        First sample and end of the stretch that was scored, the same for all.
    segment_length : float
        Seconds.
    level_edges : tuple of float
        Lower edges of the level bins, dB under the target's loudest frame, each 10 dB high.
    pairs : tuple of Pair
    notes : tuple of str
        What was resampled, cut, or refused.
    settings, versions : dict of str
    command : str
        The command that repeats it.
    """

    sample_rate: float
    mode: str
    target: Rendering
    target_response: Response | None
    dry: Rendering | None
    rows: tuple[Row, ...]
    region: tuple[int, int]
    segment_length: float
    level_edges: tuple[float, ...]
    pairs: tuple[Pair, ...] = ()
    notes: tuple[str, ...] = ()
    settings: dict = field(default_factory=dict)
    versions: dict = field(default_factory=dict)
    command: str = ""

    @property
    def good(self) -> tuple[Row, ...]:
        """Rows with scores."""
        return tuple(row for row in self.rows if not row.failed)

    @property
    def failed(self) -> tuple[Row, ...]:
        """Rows without scores."""
        return tuple(row for row in self.rows if row.failed)

    def doubts(self, row: Row) -> tuple[str, ...]:
        """What its alignment says against a candidate's score, or about it: see `validation.doubts`."""
        if row.failed or row.alignment is None:
            return ()
        found = row.alignment
        if self.target.kind == row.kind == "model":  # both play by one clock: what looks like drift is a filter that the music shows in turns
            found = replace(found, drift=math.nan, drift_error=math.nan)
        seconds = (self.region[1] - self.region[0]) / self.sample_rate
        return doubts(found, self.mode, row.scores["esr"], seconds, self.sample_rate, row.scores["crest_factor_difference"])

    def reference(self) -> np.ndarray:
        """The target over the compared stretch."""
        return self.target.samples[slice(*self.region)]

    def estimate(self, row: Row) -> np.ndarray:
        """A candidate over the compared stretch, aligned as the scores were."""
        samples = row.rendering.samples
        if row.alignment is not None and self.mode != "none":
            samples = apply(row.alignment, samples, self.mode)
        return samples[slice(*self.region)]

    def settled(self) -> Comparison:
        """The same with all candidates aligned already (mode "none"): for who looks at the signals many times."""
        if self.mode == "none":
            return self

        def moved(row: Row) -> Row:
            if row.rendering is None or row.alignment is None:
                return row
            return replace(row, rendering=replace(row.rendering, samples=apply(row.alignment, row.rendering.samples, self.mode)))

        return replace(self, mode="none", rows=tuple(moved(row) for row in self.rows))
