"""The command line: `ampwright COMMAND`. Exit code 0: done; 2: a mistake of the user's, told in one line;
1: a bug, or numbers without sense; 3: a comparison in which some candidates failed.

Only names, options and helps are imported here; each command's file imports its job when it is called.
"""

from __future__ import annotations

import os
import sys

import typer

import ampwright
from ampwright.commands import calibrate, compare, dataset, demo, fit, inspect, library, live, response, simulate, train

app = typer.Typer(name="ampwright", add_completion=False, no_args_is_help=False, pretty_exceptions_enable=False, rich_markup_mode=None,
                  context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
                  help="From the netlist of a guitar pedal or amplifier to its sound.",
                  epilog="MODEL is the path of a netlist, capture, block, impulse response or chain, or the name of a schematic that ships (ampwright library).")
COMMANDS = {"simulate": simulate.simulate, "fit": fit.fit, "compare": compare.compare, "dataset": dataset.dataset, "calibrate": calibrate.calibrate,
            "inspect": inspect.inspect, "response": response.response, "live": live.live,
            "train": train.train, "library": library.library, "demo": demo.demo}
for name, command in COMMANDS.items():
    app.command(name)(command)

_UsageError = typer.BadParameter.__base__  # typer carries click within itself or beside itself, as its version goes
_ClickException = _UsageError.__base__
_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
_GONE = "interrupted; nothing was written."


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"ampwright {ampwright.__version__}")
        raise typer.Exit()


@app.callback()
def options(version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version and leave.")) -> None:
    """From the netlist of a guitar pedal or amplifier to its sound."""


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; nothing but this function turns errors into lines and codes."""
    try:
        code = app(arguments or ["--help"], standalone_mode=False, prog_name="ampwright") or 0
        return code if code != _INTERRUPTED else _refuse(_GONE, code)
    except _ClickException as error:
        name = error.ctx.command_path if getattr(error, "ctx", None) is not None else "ampwright"
        return _refuse(f"{' '.join(error.format_message().split()).rstrip('.')}. See {name} --help.", 2)
    except (KeyboardInterrupt, typer.Abort):
        return _refuse(_GONE, _INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        from circuits.errors import AmpwrightError, ConvergenceError  # not before the command has failed: --help must not pay for it

        if isinstance(error, AmpwrightError):
            return _refuse(str(error), 1 if isinstance(error, ConvergenceError) else 2)
        if isinstance(error, MemoryError):
            return _refuse("out of memory. Give a shorter recording.", 2)
        if isinstance(error, OSError) and error.filename:
            return _refuse(f"{error.filename}: {error.strerror}. Choose another place.", 2)
        sys.excepthook(type(error), error, error.__traceback__)
        return _refuse(f"this is a bug in ampwright: {type(error).__name__}. Please report the lines above.", 1)


def _refuse(text: str, code: int) -> int:
    print(f"ampwright: {text}", file=sys.stderr)
    return code


def main() -> None:
    """Entry of the installed command."""
    sys.exit(run(sys.argv[1:]))
