"""Writes pictures/*.png: small golden pictures of a known comparison, to be looked at by eye before they are kept.

    PYTHONPATH=.:tests python tests/golden/make_pictures.py
"""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import imsave
from shaper import Shaper

from validation.audio import Audio
from validation.compare import compare
from validation.rendering import Entry
from validation.comparison import Comparison
from validation.gallery.sheets import figures
from validation.signals import shipped_phrase

FOLDER = Path(__file__).parent / "pictures"


def comparison() -> Comparison:
    """A biased tanh against two others and a recording that is late and quiet."""
    dry = Audio(shipped_phrase("single-notes").samples[240000:336000], 48000.0)
    late = 0.7 * np.roll(Shaper(drive=4.4).process(dry.samples), 30)
    return compare(dry, Entry("preamp", lambda rate: Shaper(rate)), [
        Entry("block, tanh", lambda rate: Shaper(rate, drive=6.0, bias=0.0)), Entry("block, net", lambda rate: Shaper(rate, drive=4.3)),
        Entry("recording", lambda rate: Audio(late, 48000.0))])


def small(figure) -> np.ndarray:
    """A figure at a third of its size: what one sees from afar, whatever fonts do."""
    figure.set_dpi(32)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def main():
    FOLDER.mkdir(exist_ok=True)
    for name, (_, figure) in figures(comparison()).items():
        imsave(FOLDER / f"{name}.png", small(figure))


if __name__ == "__main__":
    main()
