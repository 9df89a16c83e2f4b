"""`ampwright simulate MODEL INPUT -o OUT`: a recording through a model, and a report of how well it was solved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ampwright.commands import choices

BAD_TIMES = 5  # times of non-converged samples that are printed


def simulate(
    model: choices.Model,
    recording: Annotated[Path, typer.Argument(metavar="INPUT", show_default=False, help="WAV or FLAC, samples are volts; or single-notes, chords, palm-mutes, sweep, which ship.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", show_default=False, help="WAV (32-bit float) or FLAC (24 bit) to write.")],
    set: choices.Set = None,
    engine: choices.Engine = "nodal",
    oversample: choices.Oversample = 1,
    probe: Annotated[Optional[list[str]], typer.Option("--probe", metavar="NODE", help="Write a further node to OUT-NODE; may be repeated.")] = None,
    rate: Annotated[Optional[float], typer.Option(metavar="HZ", help="Simulate at this sample rate, not the recording's.")] = None,
    full_scale: Annotated[bool, typer.Option("--full-scale", help="Samples are full scale, not volts: 1.0 is the netlist's *@ level.")] = False,
    level: Annotated[Optional[float], typer.Option(metavar="VOLTS", help="Volts of a full-scale sample; implies --full-scale.")] = None,
    peak: Annotated[Optional[float], typer.Option(metavar="DBFS", help="Scale what is written to this peak, and say by how much.")] = None,
    tail: Annotated[float, typer.Option(metavar="SECONDS", help="Play silence behind the recording.")] = 0.0,
    subtype: Annotated[Optional[str], typer.Option(metavar="float|pcm24|...", help="Format of the samples: float, double, pcm16, pcm24, pcm32.")] = None,
    automate: Annotated[Optional[Path], typer.Option(metavar="CSV", help="Turn controls while it plays, on straight lines between rows of a table headed time,control,position; the first row, and a second at the same time, is a jump.")] = None,
    variants: Annotated[Optional[Path], typer.Option(metavar="CSV", help="Play many: names of controls, then a line for each variant; writes OUT-001, OUT-002, ..., or OUT-NAME by a column called name.")] = None,
    backend: choices.Backend = "loky",
    jobs: choices.Jobs = -1,
    scheduler: choices.Scheduler = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail at the first sample that does not converge; refuse what is not understood.")] = False,
    input: choices.Input = None,
    output: choices.Output = None,
    control: choices.Controls = None,
    include_path: choices.Include = None,
    slim: choices.Slim = None,
    calibrate: choices.Calibrate = False,
    normalise: choices.Normalise = False,
    rate_strict: Annotated[bool, typer.Option("--rate-strict", help="Refuse to resample around a model of another sample rate.")] = False,
    json: choices.Json = False,
) -> None:
    """Play a recording through a model."""
    import ampwright.simulation as simulation
    from ampwright.automation import automation_of
    from ampwright.commands import terminal
    from ampwright.commands.recordings import destinations, write_all

    if variants is not None:
        from ampwright.variants import simulate_many, variants_of  # joblib's import is paid by those who use it

        if probe:
            raise typer.BadParameter("--variants and --probe don't go together; probe one variant with --set")
        table = variants_of(variants)
        files = destinations(out, recording, [row.name for row in table], subtype)[1:]
        how = choices.given(input=input, output=output, control=control, include_paths=include_path, slim=slim, calibrate=calibrate, normalise=normalise)
        with terminal.progress(not json) as tell:
            wanted = [row._replace(values={**choices.positions(set), **row.values}) for row in table]
            results = simulate_many(model, str(recording), wanted, rate, settings=how, progress=tell, backend=backend, n_jobs=jobs, scheduler=scheduler,
                                    engine=engine, oversample=oversample, strict=strict, full_scale=full_scale, level=level, tail=tail,
                                    rate_strict=rate_strict, automation=automation_of(automate) if automate is not None else ())
        gains = write_all(dict(zip(files, [result.samples for result in results])), results[0].sample_rate, subtype=subtype, peak=peak)
        report_many(results, table, gains, json=json)
        return
    files = destinations(out, recording, probe or [], subtype)
    how = choices.given(input=input, output=output, control=control, include_paths=include_path, slim=slim, calibrate=calibrate, normalise=normalise)
    with terminal.progress(not json) as tell:
        result = simulation.simulate(model, recording, rate, engine=engine, oversample=oversample, controls=choices.positions(set), probes=probe or (),
                                     strict=strict, full_scale=full_scale, level=level, tail=tail, rate_strict=rate_strict, settings=how, progress=tell,
                                     automation=automation_of(automate) if automate is not None else ())
    signals = dict(zip(files, [result.samples, *(result.probes[simulation.probe_name(name)] for name in probe or ())], strict=True))
    gains = write_all(signals, result.sample_rate, subtype=subtype, peak=peak)
    report(result, gains, model=model, engine=engine, oversample=oversample, json=json, unit="" if full_scale or level else " V")


def report(result, gains, *, model: str, engine: str, oversample: int, json: bool, unit: str) -> None:
    """Print what happened; ``gains`` maps each file to the factor that was put on it."""
    import numpy as np

    from ampwright.commands import terminal
    from ampwright.models import ships

    run = result.run
    peak = float(np.max(np.abs(result.samples)))
    if json:
        terminal.print_json({
            "model": model, "engine": engine, "oversample": oversample, "sample_rate": result.sample_rate,
            "samples": result.samples.shape[-1], "channels": 1 if result.samples.ndim == 1 else len(result.samples), "peak": peak,
            "files": [{"path": path, "gain": gain} for path, gain in gains.items()], "latency_removed": result.latency,
            "run": {**terminal.plain(run), "mean_iterations": run.mean_iterations, "converged": run.converged},
            "start_up_seconds": result.start_up, "seconds": result.seconds, "real_time_factor": result.real_time_factor, "notes": result.notes})
        return
    for text in result.notes if not ships(model) else ():  # what is skipped in our own schematics is meant for other programs
        terminal.note(text)
    rows = [("real time", f"{result.real_time_factor:.1f}x ({result.seconds:.2f} s, started in {result.start_up:.2f} s)"),
            ("peak", f"{peak:.4g}{unit}")]
    if run.iterations or run.worst_residual:
        rows += [("steps solved", f"{run.samples} at {result.sample_rate * oversample:g} Hz"),
                 ("worst residual", f"{run.worst_residual:.2e} V"),
                 ("iterations", f"{run.mean_iterations:.2f} a step, at most {run.worst_iterations}"),
                 ("not converged", str(run.bad_samples) if run.bad_samples else "none")]
    terminal.table("", ("", ""), rows)
    for path, gain in gains.items():
        terminal.say(f"{path}" + (f"  (scaled by {20 * np.log10(gain):+.2f} dB)" if gain != 1.0 else ""))
    if result.compiling:
        terminal.note("the circuit's own kernel is being compiled in the background: the next start plays several times faster.")
    if run.bad_samples:
        times = ", ".join(f"{time:.6f}" for time in run.bad_times[:BAD_TIMES]) + (", ..." if run.bad_samples > BAD_TIMES else "")
        terminal.note(f"{run.bad_samples} steps did not converge, at {times} s. Raise --oversample, or use --strict to make this an error.", "warning")


def report_many(results, table, gains, *, json: bool) -> None:
    """Print one line a variant."""
    from ampwright.commands import terminal

    if json:
        terminal.print_json([{"path": path, "gain": gain, "name": row.name, "controls": row.values, "run": result.run, "seconds": result.seconds,
                              "real_time_factor": result.real_time_factor} for (path, gain), row, result in zip(gains.items(), table, results)])
        return
    terminal.table("", ("file", "controls", "real time", "worst residual", "not converged"), [
        (str(path), " ".join(f"{name}={value:g}" for name, value in row.values.items()), f"{result.real_time_factor:.1f}x",
         f"{result.run.worst_residual:.1e} V", str(result.run.bad_samples or "none")) for path, row, result in zip(gains, table, results)])
