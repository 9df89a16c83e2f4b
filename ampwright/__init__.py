"""Ampwright: from the netlist of a guitar pedal or amplifier to its sound. Names are loaded when they are first used."""

import importlib

from ampwright.rooms import check_rooms

__version__ = "0.1.0"
_HOMES = {"load": "ampwright.models", "player": "ampwright.models", "simulate": "ampwright.simulation", "Result": "ampwright.simulation",
          "simulate_many": "ampwright.variants", "paced": "ampwright.hosting",
          "inspect": "ampwright.inspection", "response": "ampwright.responses", "questions": "ampwright.responses",
          "compare": "ampwright.comparisons", "redraw": "ampwright.comparisons", "fit": "ampwright.fitting", "Fit": "ampwright.fitting", "dataset": "ampwright.datasets", "calibrate": "ampwright.calibration",
          "train": "ampwright.training", "Circuit": "circuits.circuit"}
__all__ = [*_HOMES]
check_rooms()


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'ampwright' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__():
    return [*globals(), *__all__]
