"""Pictures look as they did when they were last looked at by eye; golden ones are made by tests/golden/make_pictures.py."""

import numpy as np
import pytest
from golden.make_pictures import FOLDER, comparison, small
from matplotlib.image import imread

from validation.gallery.sheets import figures

GOLDEN = sorted(path.stem for path in FOLDER.glob("*.png"))


@pytest.fixture(scope="module")
def drawn():
    return {name: small(figure) for name, (_, figure) in figures(comparison()).items()}


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    """Root mean square difference after smoothing over 5 by 5 points: fonts may shift a little, curves may not."""
    def smooth(picture):
        padded = np.pad(picture, ((2, 2), (2, 2), (0, 0)), mode="edge")
        return np.mean([padded[i:i + len(picture), j:j + picture.shape[1]] for i in range(5) for j in range(5)], axis=0)
    return float(np.sqrt(np.mean((smooth(a / 255.0) - smooth(b / 255.0)) ** 2)))


def test_every_picture_has_a_golden_one(drawn):
    assert sorted(drawn) == GOLDEN and len(GOLDEN) == 12


@pytest.mark.parametrize("name", GOLDEN)
def test_pictures_look_as_before(drawn, name):
    golden = np.round(255.0 * imread(FOLDER / f"{name}.png")[..., :3])
    assert drawn[name].shape == golden.shape
    assert _difference(drawn[name], golden) < 0.02
    others = [_difference(picture, golden) for other, picture in drawn.items() if other != name and picture.shape == golden.shape]
    assert not others or min(others) > 0.04, "the measure tells pictures apart"
