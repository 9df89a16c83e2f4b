"""Are the rooms behind this door ours? Two of them share their names with packages on PyPI.

`circuits` and `graybox` and `validation` exist there too; installed into the same environment, one of them would stand in the
place of a room, and the first sign would be a riddle. Looked up without importing anything: it costs a millisecond.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

LANDMARKS = {"circuits": "processor.py", "netlists": "library", "wdf": "spqr.py", "graybox": "py.typed", "validation": "audio.py"}


def check_rooms(folder: Path | None = None) -> None:
    """Raise ImportError if a room is missing or belongs to another program.

    Parameters
    ----------
    folder : Path, optional
        Where the rooms must be; beside the package `ampwright` if not given.

    Raises
    ------
    ImportError
        One line that names the room, where it was found, and the mend.

    Examples
    --------
    >>> check_rooms()
    """
    home = folder or Path(__file__).resolve().parents[1]
    for room, landmark in LANDMARKS.items():
        spec = find_spec(room)
        found = Path(spec.origin).resolve().parent if spec is not None and spec.origin else None
        if found != home / room or not (home / room / landmark).exists():
            where = "is missing" if spec is None else f"is another program's, at {found or 'a folder without __init__.py'}"
            raise ImportError(f"ampwright: its package '{room}' {where}. Install ampwright in an environment of its own, "
                              f"without other packages called {', '.join(LANDMARKS)}.")
