"""The tree of a circuit's Wave Digital Filter as a picture, to be checked against the schematic."""

from __future__ import annotations

from pathlib import Path

from ampwright.models import load
from circuits.circuit import Circuit
from circuits.errors import CircuitError
from validation.audio import check_writable
from validation.gallery.tree import draw
from wdf.draw import layout
from wdf.tree import derive


def draw_tree(model: str | Path | Circuit, path: str | Path, *, sample_rate: float = 48000.0, root: str = "") -> Path:
    """Draw the tree: adaptors, ports, root and port resistances.

    Parameters
    ----------
    model : str, Path or Circuit
        A path, a library name, or what `load` gave; at its present control positions.
    path : str or Path
        PNG to write.
    sample_rate : float
        Hz, on which port resistances depend.
    root : str
        An element that shall sit at the root; empty: chosen automatically.

    Returns
    -------
    Path
        The picture.

    Raises
    ------
    CircuitError
        If the model is no circuit.
    NetlistError, TopologyError, RateError, SignalError
        If it can't be read, has no tree at this rate, or the file can't be written.
    """
    circuit = load(model) if isinstance(model, (str, Path)) else model
    if not isinstance(circuit, Circuit):
        raise CircuitError("only a circuit has a tree", mend="Give a netlist or leave out --picture.")
    check_writable(path, suffixes=(".png",))
    tree = derive(circuit, sample_rate, root=root)
    name = Path(circuit.path).stem or circuit.title or "circuit"
    return draw(layout(tree), f"{name}: Wave Digital Filter at {sample_rate / 1000.0:g} kHz", path)
