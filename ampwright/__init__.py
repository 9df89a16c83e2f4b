"""Ampwright: from the netlist of a guitar pedal or amplifier to its sound."""

__version__ = "0.1.0"
