"""`ampwright live MODEL`: play through a model on a sound card, knobs on the keyboard or over OSC; `--paced` proves the deadlines without a card."""

from __future__ import annotations

import gc
import importlib
import os
import sys
import time
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Annotated, Iterator, Optional

import typer

from ampwright.commands import choices

REFRESH = 0.1  # seconds between two looks at the keyboard
KEYS = {"\x1b[A": ("choose", -1), "k": ("choose", -1), "\x1b[B": ("choose", 1), "j": ("choose", 1), "\x1b[C": ("turn", 1), "l": ("turn", 1),
        "\x1b[D": ("turn", -1), "h": ("turn", -1), "q": ("leave", 0)}


def live(
    model: choices.Model,
    paced: Annotated[Optional[float], typer.Option("--paced", metavar="SECONDS", help="No sound card: blocks paced by the clock, and a count of deadlines missed.")] = None,
    play: Annotated[Path, typer.Option("--play", metavar="INPUT", help="What a paced run plays, round and round: a recording, or a phrase that ships.")] = Path("single-notes"),
    block: Annotated[int, typer.Option("--block", metavar="SAMPLES", min=8, max=8192, help="Samples of a block.")] = 64,
    rate: Annotated[float, typer.Option("--rate", metavar="HZ", help="Sample rate.")] = 48000.0,
    automate: Annotated[Optional[Path], typer.Option(metavar="CSV", help="Turn controls during a paced run, as ampwright simulate does.")] = None,
    kernel: Annotated[str, typer.Option(metavar="auto|emitted|table", help="The circuit's own kernel if it is compiled, compiled first, or the generic one.")] = "auto",
    level: Annotated[Optional[float], typer.Option(metavar="VOLTS", help="Volts of a full-scale sample, not the netlist's *@ level.")] = None,
    osc: Annotated[Optional[int], typer.Option("--osc", metavar="PORT", min=1, max=65535, help="Hear Open Sound Control on this UDP port: /control/NAME position.")] = None,
    osc_address: Annotated[str, typer.Option("--osc-address", metavar="IP", help="Network interface that OSC is heard on; the default hears this machine only.")] = "127.0.0.1",
    device: Annotated[Optional[str], typer.Option(metavar="NAME", help="Sound card, as python -m sounddevice lists them.")] = None,
    set: choices.Set = None,
    engine: choices.Engine = "nodal",
    oversample: choices.Oversample = 1,
    input: choices.Input = None,
    output: choices.Output = None,
    control: choices.Controls = None,
    include_path: choices.Include = None,
    json: choices.Json = False,
) -> None:
    """Play through a model on a sound card; h l turn the chosen knob, j k choose another, q leaves; --osc hears other programs."""
    if paced is not None and not 0.0 < paced <= 86400.0:
        raise typer.BadParameter(f"--paced {paced:g} makes no sense; give seconds above 0")
    if paced is None and (automate is not None or json):
        raise typer.BadParameter("--automate and --json go with --paced only")
    if paced is not None and osc is not None:
        raise typer.BadParameter("--osc goes with a sound card, --automate with --paced")
    card = sound_cards() if paced is None else None

    from ampwright.commands import terminal
    from circuits.circuit import Circuit
    from circuits.processor import make_ready

    loaded = choices.opened(model, set=set, sample_rate=rate, input=input, output=output, control=control, include_paths=include_path)
    volts = (level or loaded.level) if isinstance(loaded, Circuit) else 1.0
    with terminal.progress(not json) as tell:
        tell(0.0, "preparing")
        processor = _player(loaded, rate, engine=engine, oversample=oversample, kernel=kernel)
        processor.process([0.0] * block)
        make_ready(processor)
        processor.reset()
        if paced is not None:
            pace = _paced(processor, play, rate, paced, block, automate, tell)
    if paced is not None:
        _report(pace, processor, model=model, oversample=oversample, json=json)
        return
    _play(card, processor, volts, rate, block, device, osc, osc_address)


def sound_cards():
    """The module that speaks with sound cards; raises AmpwrightError where it, or what it needs, is missing."""
    from circuits.errors import AmpwrightError

    try:
        return importlib.import_module("sounddevice")  # an extra: only who plays live needs it
    except ImportError:
        raise AmpwrightError("playing live needs sounddevice", mend="Install it with: pip install 'ampwright[live]'. Without a sound card, --paced 10 proves the deadlines.") from None
    except OSError as error:
        raise AmpwrightError(f"sounddevice finds no way to sound cards ({error})", mend="Install PortAudio (libportaudio2). Without a sound card, --paced 10 proves the deadlines.") from None


def _player(model, rate: float, *, engine: str, oversample: int, kernel: str):
    from ampwright.models import engine_of, player
    from circuits.circuit import Circuit
    from circuits.rate import oversampled

    if kernel == "auto" or not isinstance(model, Circuit):
        return player(model, rate, engine=engine, oversample=oversample)
    return oversampled(lambda inner: engine_of(engine)(model, inner, kernel=kernel), rate, oversample)


def _paced(processor, play: Path, rate: float, seconds: float, block: int, automate: Path | None, tell):
    from ampwright.automation import automation_of
    from ampwright.hosting import paced
    from ampwright.simulation import recording
    from validation.audio import resample

    audio = recording(play)
    heard = audio.samples if audio.samples.ndim == 1 else audio.samples[0]
    heard = heard if audio.sample_rate == rate else resample(heard, audio.sample_rate, rate)
    return paced(processor, heard, seconds, block=block, moves=automation_of(automate) if automate is not None else (), progress=tell)


def _report(pace, processor, *, model: str, oversample: int, json: bool) -> None:
    from ampwright.commands import terminal

    if json:
        terminal.print_json({"model": model, "oversample": oversample, "sample_rate": processor.sample_rate, **terminal.plain(pace), "run": processor.run})
        return
    block = round(pace.deadline * processor.sample_rate)
    terminal.table("", ("", ""), [
        ("played", f"{pace.blocks} blocks of {block} samples at {processor.sample_rate:g} Hz, oversampling {oversample}"),
        ("deadline", f"{1e3 * pace.deadline:.3f} ms"), ("deadlines missed", str(pace.misses or "none")), ("xruns", str(pace.dropouts or "none")),
        ("p50", f"{1e3 * pace.p50:.3f} ms"), ("p99.9", f"{1e3 * pace.p999:.3f} ms"), ("worst", f"{1e3 * pace.worst:.3f} ms, block {pace.worst_block}"),
        ("not converged", str(processor.run.bad_samples or "none"))])


def _play(card, processor, volts: float, rate: float, block: int, device: str | None, osc: int | None, address: str) -> None:
    from ampwright.commands import terminal
    from ampwright.hosting import Host
    from circuits.errors import AmpwrightError

    if not sys.stdin.isatty() and osc is None:
        raise AmpwrightError("knobs are turned by keys, and standard input is no terminal", mend="Run it in a terminal, give --osc 9000, or try --paced 10.")
    host = Host(processor, volts)
    gc.collect()
    gc.freeze()  # what has been made by now stays: to look through it again would take 80 ms in the middle of a block
    try:
        stream = card.Stream(samplerate=rate, blocksize=block, device=device, channels=1, dtype="float32", latency="low", callback=host.callback)
    except (card.PortAudioError, ValueError) as error:
        raise AmpwrightError(f"the sound card can't be opened ({error})", mend="List them with: python -m sounddevice.") from None
    with listening(host, osc, address) as receiver:
        terminal.say("h l: turn, j k: choose, q: leave" if sys.stdin.isatty() else "Ctrl-C leaves")
        with stream, keys() if sys.stdin.isatty() else nobody() as pressed, suppress(KeyboardInterrupt):
            steer(host, pressed, sys.stderr.write)
    sys.stderr.write("\n")
    rows = [("played", f"{host.blocks} blocks of {block} samples"), ("dropouts", str(host.dropouts or "none")),
            ("deadlines missed", str(host.misses or "none")), ("failed and started again", str(host.failures or "none"))]
    if receiver is not None:
        rows.append(("OSC", f"{receiver.turned} turns, {receiver.refused} refused, {receiver.malformed} malformed packets"))
    terminal.table("", ("", ""), rows)


def listening(host, port: int | None, address: str):
    """The receiver of OSC messages, or None, as a context; raises AmpwrightError if the port can't be had."""
    from ampwright.osc import Receiver
    from circuits.errors import AmpwrightError

    if port is None:
        return nullcontext()
    try:
        return Receiver(host, port, address)
    except OSError as error:
        raise AmpwrightError(f"OSC can't be heard on {address}, port {port} ({error.strerror or error})", mend="Give another --osc PORT, or an --osc-address of this machine.") from None


@contextmanager
def nobody() -> Iterator[Iterator[str]]:
    """No keys at all, every tenth of a second."""
    def waiting():
        while True:
            time.sleep(REFRESH)
            yield ""

    yield waiting()


def steer(host, pressed: Iterator[str], write) -> None:
    """Turn knobs as keys say until q or their end; ``pressed`` gives "" now and then, so that the line is kept up to date."""
    names = list(host.controls)
    chosen = 0
    for key in pressed:
        what, by = KEYS.get(key, ("", 0))
        if what == "leave":
            return
        if names and what == "choose":
            chosen = (chosen + by) % len(names)
        if names and what == "turn":
            host.turn(names[chosen], by)
        knobs = "  ".join(f"{'>' if number == chosen else ' '}{name} {control.position:.3g}" for number, (name, control) in enumerate(host.controls.items()))
        write(f"\r{knobs}  dropouts {host.dropouts}  missed {host.misses}\x1b[K")


@contextmanager
def keys() -> Iterator[Iterator[str]]:
    """Keys as they are pressed, without waiting for a line; "" every tenth of a second."""
    try:
        import termios
        import tty
        from select import select
    except ImportError:  # Windows
        import msvcrt

        def pressed():
            while True:
                time.sleep(REFRESH)
                yield msvcrt.getwch() if msvcrt.kbhit() else ""

        yield pressed()
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)

    def waiting():
        while True:
            yield os.read(terminal, 8).decode("ascii", "ignore") if select([terminal], [], [], REFRESH)[0] else ""

    try:
        tty.setcbreak(terminal)
        yield waiting()
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
