"""The report of a comparison: one HTML page that opens without a network, and beside it tables, pictures and renderings.

Everything is read from the frozen Comparison; nothing is rendered or scored here. A report appears whole or not at all: it is
built in a temporary folder beside its destination, which then takes the name.

References
----------
ITU-R BS.1534-3 (2015), 5.1: hidden reference and low-passed anchor (3.5 kHz) of the rating.
ITU-R BS.1116-3 (2015): blind comparison with a known reference; the ABX of the page reports the one-sided binomial p-value.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import math
import os
import re
import shutil
import uuid
from pathlib import Path

import numpy as np
import soundfile
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from scipy.signal import firwin, kaiserord, oaconvolve

from circuits.errors import Place, SignalError
from validation.comparison import Comparison, Row
from validation.comparison_file import write_comparison
from validation.gallery.sheets import WIDE, bare, figures, png, responses_of, svg
from validation.metrics import METRICS
from validation.response import Response
from validation.styles import INK, PAPER, comparison_styles

FORMATS = ("html", "csv", "json", "png")
TEMPLATES = Path(__file__).parent / "templates"
_MAIN = ("esr", "esr_a_weighted_low_passed", "multi_resolution_stft", "log_spectral_distance", "si_sdr", "loudness_difference")
_SCRIPTS = ("player.js", "listening.js", "page.js")
_OURS = {"report.html", "scores.csv", "comparison.json", "plots", "renderings"}
_FEW_PAIRS = 6  # more are folded
_MARKS = {"": "", "o": '<circle cx="22" cy="5" r="4"/>', "s": '<path d="M18 1h8v8h-8z"/>', "^": '<path d="M22 0l5 9h-10z"/>', "v": '<path d="M22 10l5-9h-10z"/>',
          "D": '<path d="M22 0l5 5-5 5-5-5z"/>', "P": '<path d="M20.4 0h3.2v3.4h3.4v3.2h-3.4v3.4h-3.2v-3.4h-3.4v-3.2h3.4z"/>',
          "X": '<path d="M19 0l3 2.9 3-2.9 2.2 2.2-2.9 2.8 2.9 2.8-2.2 2.2-3-2.9-3 2.9-2.2-2.2 2.9-2.8-2.9-2.8z"/>'}  # markers of the pictures, for the page's legend
_LONG = 240.0  # seconds of audio in all; beyond it the page holds 16 bits instead of 24


def figure_text(value: float) -> str:
    """A number for a reader: three digits, no clutter.

    Examples
    --------
    >>> figure_text(0.012345), figure_text(1.2345e-9), figure_text(-31.23), figure_text(float("inf")), figure_text(float("nan"))
    ('0.0123', '1.23e-09', '-31.2', '∞', '–')
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return "0" if value == 0.0 else f"{value:.3g}"


def _short(label: str, limit: int = 120) -> str:
    text = "".join(c if c.isprintable() else " " for c in label[:400])
    return text if len(label) <= limit else text[:limit - 1] + "…"


def _anchor(samples: np.ndarray, sample_rate: float) -> np.ndarray:
    """Low-passed at 3.5 kHz: flat to 3.5 kHz, 50 dB down at 4 kHz and above (BS.1534-3, 5.1)."""
    if sample_rate <= 8200.0:
        return samples.copy()
    n_taps, beta = kaiserord(55.0, 500.0 / (sample_rate / 2.0))
    return oaconvolve(samples, firwin(n_taps | 1, 3750.0, window=("kaiser", beta), fs=sample_rate), mode="same")


def _tracks(comparison: Comparison) -> tuple[list[dict], str]:
    styles = comparison_styles(comparison)
    settled, matched = comparison.settled(), comparison.target.loudness
    reference = comparison.reference()
    tracks = [{"id": "target", "label": comparison.target.label, "role": "target", "key": "T", "samples": reference, "loudness": matched}]
    tracks += [{"id": f"c{number}", "label": row.label, "role": "candidate", "key": str(number) if number < 10 else "",
                "samples": settled.estimate(row), "loudness": row.rendering.loudness} for number, row in enumerate(settled.good, 1)]
    if comparison.dry is not None:
        dry = comparison.dry.samples[slice(*comparison.region)]
        tracks.append({"id": "dry", "label": comparison.dry.label, "role": "dry", "key": "0",
                       "samples": np.pad(dry, (0, len(reference) - len(dry))), "loudness": comparison.dry.loudness})
    tracks.append({"id": "anchor", "label": "3.5 kHz anchor", "role": "anchor", "key": "", "samples": _anchor(reference, comparison.sample_rate),
                   "loudness": matched})
    peak = max(float(np.abs(track["samples"]).max()) for track in tracks)
    scale = min(1.0, 0.999 / peak) if peak > 0.0 else 1.0
    bits = 24 if len(tracks) * len(reference) / comparison.sample_rate <= _LONG else 16
    for track in tracks:
        samples = scale * track.pop("samples")
        loud = track.pop("loudness")
        difference = matched - loud
        style = styles.get(track["label"], {"color": "#7f8a99"}) if track["role"] in ("target", "candidate") else {"color": "#7f8a99"}
        gain = 10.0 ** (difference / 20.0) if abs(difference) < 60.0 else 1.0  # what is nearly silent is not brought up
        track.update(label=_short(track["label"]), hidden=track["role"] == "anchor", gain=gain,
                     peak=float(np.abs(samples).max()), color="currentColor" if track["role"] == "target" else style["color"],
                     audio=_flac(samples, comparison.sample_rate, bits))
    note = f"{bits}-bit FLAC, lossless" + (f"; all signals lowered by {-20.0 * math.log10(scale):.1f} dB to fit" if scale < 1.0 else "")
    return tracks, note


def _flac(samples: np.ndarray, sample_rate: float, bits: int) -> str:
    out = io.BytesIO()
    soundfile.write(out, samples, int(round(sample_rate)), format="FLAC", subtype=f"PCM_{bits}")
    return base64.b64encode(out.getvalue()).decode("ascii")


def _inline(svg: str, name: str) -> Markup:
    """A picture for the page: ink takes the page's colour, paper is left out, and its identifiers are its own."""
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = svg.replace(INK, "currentColor").replace(PAPER, "none")
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    return Markup(svg.replace("<svg ", f'<svg role="img" aria-label="{name}" ', 1))  # name is ours, never a label


def _best(comparison: Comparison, name: str, which: str) -> set[str]:
    """Who is nearest to the metric's best value; all whose printed figures are the same."""
    values = {row.label: getattr(row, which)[name] for row in comparison.good}
    ranked = sorted((METRICS[name].badness(value), value) for value in values.values() if not math.isnan(value))
    return {label for label, value in values.items() if ranked and figure_text(value) == figure_text(ranked[0][1])}


def _interval(row: Row) -> str:
    return "" if math.isnan(row.interval[0]) else f"{figure_text(row.interval[0])} to {figure_text(row.interval[1])}"


def _rows(comparison: Comparison, styles: dict) -> list[dict]:
    names = {name: f"{METRICS[name].label} {METRICS[name].unit}".strip() for name in METRICS}
    winners = {(name, which): _best(comparison, name, which) for name in METRICS for which in ("scores", "scores_as_is")}
    rows = []
    for row in comparison.rows:
        facts = {"label": _short(row.label), "color": styles[row.label]["color"], "message": row.message[:600], "cells": [], "costs": [],
                 "doubts": " ".join(f"{text[0].upper()}{text[1:]}." for text in comparison.doubts(row))}
        if not row.failed:
            facts["cells"] = [{"value": row.scores[name], "value_as_is": row.scores_as_is[name], "text": figure_text(row.scores[name]),
                               "text_as_is": figure_text(row.scores_as_is[name]), "main": name in _MAIN, "name": names[name],
                               "best": row.label in winners[name, "scores"], "best_as_is": row.label in winners[name, "scores_as_is"],
                               "interval": _interval(row) if name == "esr" else ""} for name in METRICS]
            factor = row.real_time_factor
            facts["costs"] = [{"value": factor, "text": "–" if math.isnan(factor) else f"{factor:,.0f} ×" if factor >= 100.0 else f"{factor:.3g} ×", "name": "Real time"},
                              {"value": row.bad_samples, "text": str(row.bad_samples), "name": "Not converged"},
                              {"value": row.n_parameters, "text": "–" if math.isnan(row.n_parameters) else f"{row.n_parameters:,.0f}", "name": "Numbers"},
                              {"value": row.operations, "text": "–" if math.isnan(row.operations) else f"{row.operations:,.0f}", "name": "Operations a sample"}]
            for cell in facts["cells"] + facts["costs"]:  # what JavaScript's Number() reads
                for key in ("value", "value_as_is"):
                    if key in cell:
                        cell[key] = repr(float(cell[key])).replace("inf", "Infinity").replace("nan", "NaN")
        rows.append(facts)
    return rows


def _with_and_without(row: Row, mode: str) -> tuple[float, float, float]:
    """ESR as it came, with the latency taken out, and with gain, polarity and offset too; what was scored is the score itself."""
    came, own = row.scores_as_is["esr"], row.scores["esr"]
    return came, own if mode == "latency" else row.alignment.esr_latency, own if mode == "latency+gain" else row.alignment.esr_after


def _alignments(comparison: Comparison) -> list[dict]:
    lines = []
    for row in comparison.good:
        found = row.alignment
        if found is not None:
            one_clock = math.isnan(found.drift) or comparison.target.kind == row.kind == "model"
            drift = "–" if one_clock else f"{round(found.drift, 2) + 0.0:.2f} ± {found.drift_error:.2f}"
            lines.append({"label": _short(row.label), "latency": f"{round(found.latency, 3) + 0.0:.3f}", "gain": f"{round(found.gain_db, 3) + 0.0:+.3f}",
                          "polarity": {1: "same", -1: "inverted", 0: "undecided"}[found.polarity], "dc": figure_text(found.dc), "drift": drift,
                          "coherence": f"{found.coherence:.4f}", "esr": [figure_text(value) for value in _with_and_without(row, comparison.mode)]})
    return lines


def _percent(ratio: float) -> str:
    return "–" if math.isnan(ratio) else f"{100.0 * ratio:.3g} %"


def _measured(label: str, response: Response) -> dict:
    return {"label": _short(label), "thd": _percent(response.thd_n[-1]), "smpte": _percent(response.smpte),
            "ccif": " / ".join(_percent(part) for part in response.ccif), "multitone": _percent(response.multitone),
            "aliasing": figure_text(response.aliasing_db), "memory": f"{1e3 * response.memory:.3g}", "latency": str(response.latency)}


def _verdict(comparison: Comparison) -> str:
    good = comparison.good
    if len(good) < 2:
        return ""
    first, second = good[0].scores["esr"], good[1].scores["esr"]
    if abs(second - first) <= 1e-3 * max(first, second):  # a thousandth of the error: a difference that only arithmetic can tell
        return f"{_short(good[1].label)} is as near, to three digits"
    pair = next((pair for pair in comparison.pairs if {pair.better, pair.worse} == {good[0].label, good[1].label}), None)
    segments = int(np.count_nonzero(~np.isnan(good[0].segments)))
    if pair is None or math.isnan(pair.p_value) or 2.0 ** (1 - segments) * len(comparison.pairs) >= 0.05:  # the least p that so few can give, corrected
        return f"The recording is too short to tell if its lead over {_short(good[1].label)} is chance"
    if pair.better != good[0].label or pair.p_value >= 0.05:
        return f"Its lead over {_short(good[1].label)} could be chance"
    return f"Its lead over {_short(good[1].label)} holds in {100.0 * pair.share:.0f} % of the segments (p {_p(pair.p_value)})"


def _p(value: float) -> str:
    if math.isnan(value):
        return "too short to tell"
    return "< 0.0001" if value < 1e-4 else f"= {value:.4f}"


def _pairs(comparison: Comparison) -> list[list[dict]]:
    """Rows on the paired tests, in two lists if there are many: those of the nearest candidate, and all others."""
    lines = [{"better": _short(pair.better), "worse": _short(pair.worse), "share": "–" if math.isnan(pair.share) else f"{100.0 * pair.share:.0f} %",
              "p": _p(pair.p_value).removeprefix("= "), "sure": pair.p_value < 0.05} for pair in comparison.pairs]
    if len(lines) <= _FEW_PAIRS:
        return [lines, []]
    first = [comparison.good[0].label in (pair.better, pair.worse) for pair in comparison.pairs]
    return [[line for line, own in zip(lines, first) if own], [line for line, own in zip(lines, first) if not own]]


def _script_json(content) -> Markup:
    """JSON that stays inside its script element whatever the labels are."""
    text = json.dumps(content, allow_nan=False)
    for c in "<>&\u2028\u2029":
        text = text.replace(c, f"\\u{ord(c):04x}")
    return Markup(text)


def _dash(style: dict) -> str:
    dashes = style["linestyle"]
    named = {"-": (), "--": (7, 4), "-.": (8, 3, 2, 3)}
    return " ".join(str(2.2 * part if not isinstance(dashes, str) else part) for part in (named[dashes] if isinstance(dashes, str) else dashes[1]))


def page(comparison: Comparison, drawn: dict[str, tuple[str, str]]) -> str:
    """The HTML text of a report.

    Parameters
    ----------
    comparison : Comparison
    drawn : dict
        Name to (caption, SVG text).
    """
    styles = comparison_styles(comparison)
    tracks, audio_note = _tracks(comparison)
    metrics = [{"label": m.label, "unit": m.unit, "text": m.text, "paper": m.paper, "main": m.name in _MAIN} for m in METRICS.values()]
    digest = hashlib.sha256("".join([comparison.target.digest, *(row.digest for row in comparison.rows)]).encode()).hexdigest()
    script = "(() => {\n" + "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in _SCRIPTS) + "\n})();"
    best = comparison.good[0] if comparison.good else None
    measured = responses_of(comparison)
    inputs = [comparison.target, *([comparison.dry] if comparison.dry else []), *comparison.rows]
    region = comparison.region
    facts_list = [*((name.replace("_", " "), value) for name, value in comparison.settings.items()),
                  ("stretch", " to ".join(f"{bound / comparison.sample_rate:.4f} s" for bound in region)), *comparison.versions.items()]
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("report.html").render(
        title=f"{_short(comparison.target.label)}: comparison", target={"label": _short(comparison.target.label)},
        best=best and {"label": _short(best.label), "esr": figure_text(best.scores["esr"]), "interval": _interval(best)},
        verdict=_verdict(comparison), seconds=f"{(region[1] - region[0]) / comparison.sample_rate:.2f}",
        rate=f"{comparison.sample_rate / 1000.0:g} kHz", mode={"none": "none", "latency": "latency", "latency+gain": "latency and gain"}[comparison.mode],
        rows=_rows(comparison, styles), n_failed=len(comparison.failed), notes=[_short(note, 240) for note in comparison.notes],
        doubts=[{"label": _short(row.label), "text": text} for row in comparison.good for text in comparison.doubts(row)], metrics=metrics,
        alignments=_alignments(comparison), measured=[_measured(label, response) for label, response in measured.items()],
        pairs=_pairs(comparison),
        legend=[{"label": _short(label), "color": "currentColor" if style["color"] == INK else style["color"], "dashes": _dash(style),
                 "mark": Markup(_MARKS[style["marker"]])} for label, style in styles.items() if label not in {row.label for row in comparison.failed}],
        pictures=[{"svg": _inline(text, name), "caption": caption, "wide": name in WIDE} for name, (caption, text) in drawn.items()],
        inputs=[{"label": _short(thing.label), "source": thing.source[:300], "digest": thing.digest} for thing in inputs],
        facts_list=facts_list, command=comparison.command[:4000], tracks=tracks, audio_note=audio_note,
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")), script=Markup(script),
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        facts=_script_json({"tracks": [{key: track[key] for key in ("id", "label", "role", "key", "gain", "peak", "audio")} for track in tracks],
                            "rate": int(round(comparison.sample_rate)), "digest": digest}))


def _cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def table(comparison: Comparison) -> str:
    """All scores as CSV text, one line a candidate."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["candidate", "failed", *METRICS, *(f"{name}_as_is" for name in METRICS), "esr_low", "esr_high", "latency_samples", "gain_db", "polarity",
                     "dc", "drift_ppm", "coherence", "doubts", "real_time_factor", "bad_samples", "n_parameters", "operations_per_sample", "source", "sha256"])
    for row in comparison.rows:
        found = row.alignment
        aligned = [found.latency, found.gain_db, found.polarity, found.dc, found.drift, found.coherence] if found else [""] * 6
        writer.writerow([_cell(row.label), _cell(row.message), *(row.scores.get(name, "") for name in METRICS),
                         *(row.scores_as_is.get(name, "") for name in METRICS), *row.interval, *aligned, "; ".join(comparison.doubts(row)), row.real_time_factor, row.bad_samples,
                         row.n_parameters, row.operations, _cell(row.source), row.digest])
    return out.getvalue()


def check_formats(formats) -> tuple[str, ...]:
    """The formats, each once; raises SignalError for an unknown one, or if there is none."""
    formats = tuple(dict.fromkeys(formats))
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise SignalError(f"there is no format {unknown[0]!r}" if unknown else "no format is given", mend=f"Choose from {', '.join(FORMATS)}.")
    return formats


def check_output(output) -> Path:
    """Say before the work starts if a report can't be written there.

    Raises
    ------
    SignalError
        If the path is a file, holds other things than an earlier report, or its parent is missing or not writable.
    """
    output = Path(output)
    place = Place(str(output))
    if output.exists() and not output.is_dir():
        raise SignalError("this is a file, and a report is a folder", mend="Choose another name.", place=place)
    if output.is_dir():
        foreign = sorted(set(os.listdir(output)) - _OURS)
        if foreign:
            raise SignalError(f"the folder holds other files ({', '.join(foreign[:3])})", mend="Choose a new or an empty folder.", place=place)
    parent = output.absolute().parent
    if not parent.is_dir():
        raise SignalError(f"the folder {parent} does not exist", mend="Make it first.", place=place)
    probe = parent / f".{output.name[:80]}.{uuid.uuid4().hex[:8]}.part"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise SignalError(f"nothing can be written here ({error.strerror})", mend="Choose another folder.", place=place) from error
    return output


def write_report(comparison: Comparison, output, *, formats=FORMATS) -> dict[str, Path]:
    """Write a report into a folder, whole or not at all; an earlier report of the same name is replaced.

    Parameters
    ----------
    comparison : Comparison
    output : str or Path
        The folder; made if missing.
    formats : iterable of {"html", "csv", "json", "png"}
        Page; scores.csv; comparison.json with renderings; plots as PNG and SVG.

    Returns
    -------
    dict
        Format to the path of its main file.

    Raises
    ------
    SignalError
        For an unknown format or a folder that can't be used.
    """
    formats = check_formats(formats)
    output = check_output(output)
    part = output.absolute().parent / f".{output.name[:80]}.{uuid.uuid4().hex[:8]}.part"
    part.mkdir()
    written: dict[str, Path] = {}
    try:
        pictures = figures(comparison) if {"html", "png"} & set(formats) else {}
        if "png" in formats:
            (part / "plots").mkdir()
            for name, (_, figure) in pictures.items():
                (part / "plots" / f"{name}.svg").write_text(svg(figure), encoding="utf-8")
                (part / "plots" / f"{name}.png").write_bytes(png(figure))
            written["png"] = output / "plots"
        if "html" in formats:
            drawn = {name: (caption, svg(bare(figure, wide=name in WIDE))) for name, (caption, figure) in pictures.items()}
            (part / "report.html").write_text(page(comparison, drawn), encoding="utf-8")
            written["html"] = output / "report.html"
        if "csv" in formats:
            (part / "scores.csv").write_text(table(comparison), encoding="utf-8", newline="")
            written["csv"] = output / "scores.csv"
        if "json" in formats:
            write_comparison(comparison, part)
            written["json"] = output / "comparison.json"
        _exchange(part, output)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return written


def _exchange(part: Path, output: Path) -> None:
    if not output.exists():
        os.rename(part, output)
        return
    old = part.with_suffix(".old")
    os.rename(output, old)
    try:
        os.rename(part, output)
    except OSError:
        os.rename(old, output)
        raise
    shutil.rmtree(old)
