"""Which files a netlist may pull in, and how they are found when their path is of another machine.

A deck reads below its own folder and below the include paths that the caller gives, and nowhere else. A path that is not
there is looked up by its base name beside the deck and in the include paths, as half of the netlists that people share need.
"""

from __future__ import annotations

from pathlib import Path

from circuits.errors import NetlistError, Place
from netlists.lexer import MAX_BYTES, decode

MAX_TOTAL = 64 * 1024 * 1024
MAX_FILES = 500


class OutsideError(NetlistError):
    """The only file of that name lies outside the folders that may be read."""


class Files:
    """Reads text files for one deck, within its limits.

    Parameters
    ----------
    folder : Path or None
        Folder of the deck; None if the deck is only text, which then includes nothing but from the include paths.
    include_paths : sequence of Path
        Further folders that may be read.
    """

    def __init__(self, folder: Path | None, include_paths=()):
        self.roots = [Path(path).resolve() for path in ([folder] if folder is not None else []) + list(include_paths)]
        self.total = 0
        self.count = 0
        self._texts: dict[Path, str] = {}

    def find(self, name: str, beside: Path | None, place: Place) -> Path | None:
        """The file that an include means, or None if there is none.

        Raises
        ------
        OutsideError
            If the only file of that name lies outside the folders that may be read.
        NetlistError
            If this is no name of a file.
        """
        if "\0" in name or len(name) > 1000:
            raise NetlistError("this is not a file name", place=place)
        slashed = name.replace("\\", "/")
        foreign = slashed[1:3] == ":/" or name.startswith("\\\\")
        base = slashed.rsplit("/", 1)[-1]
        folders = ([beside] if beside is not None else []) + self.roots
        outside = None
        for wanted in ([] if foreign else [slashed]) + [base]:
            for folder in folders:
                found = self._file(folder, wanted)
                if found is None:
                    continue
                if any(found.is_relative_to(root) for root in self.roots):
                    return found
                outside = outside or found
        leaves = not foreign and ".." in slashed.split("/")
        if outside is not None or leaves:
            raise OutsideError(f"{name!r} leaves the folder of the netlist", place=place,
                               mend="Give its folder with --include-path, or copy the file beside the netlist.")
        return None

    def _file(self, folder: Path, name: str) -> Path | None:
        if name in ("", ".", ".."):
            return None
        try:
            path = (folder / name).resolve()
            if path.is_file():
                return path
            if "/" not in name and folder.is_dir():  # other machines do not tell upper from lower case
                lower = name.lower()
                return next((item.resolve() for item in folder.iterdir() if item.name.lower() == lower and item.is_file()), None)
        except (OSError, ValueError, RuntimeError):
            return None
        return None

    def read(self, path: Path, place: Place | None = None) -> str:
        """Text of a file; raises NetlistError if it can't be read or is too large."""
        if path not in self._texts:
            self.count += 1
            try:
                size = path.stat().st_size
                self.total += size
                if size > MAX_BYTES or self.total > MAX_TOTAL or self.count > MAX_FILES:
                    raise NetlistError(f"too much to read: {self.count} files, {self.total / 1e6:.0f} MB", place=place or Place(str(path)),
                                       mend=f"A netlist may pull in {MAX_FILES} files and {MAX_TOTAL // 1024**2} MB.")
                self._texts[path] = decode(path.read_bytes(), str(path))
            except OSError as error:
                raise NetlistError(f"{path} can't be read: {error.strerror or error}", place=place or Place(str(path))) from None
        return self._texts[path]
