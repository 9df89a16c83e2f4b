"""Datasets: positions as the samplings promise, divisions that never touch, resuming without doing anything twice, refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest
from shaper import Shaper

from circuits.controls import Control
from circuits.errors import CircuitError, SignalError
from validation.audio import read_audio
from validation.dataset import MANIFEST, divide, plan_dataset, read_dataset, render_dataset
from validation.positions import draw_positions, read_positions

KNOBS = (Control("drive", 0.0, 1.0), Control("mode", 0.0, 2.0, 0.0, switch=True))
RATE = 48000.0
DRY = (0.3 * np.random.default_rng(3).standard_normal(144000)).astype(np.float32).astype(np.float64)


def test_uniform_positions_fill_the_range_and_repeat_with_the_seed():
    drawn = draw_positions(KNOBS, 3000, "uniform", np.random.default_rng(5))
    drive, mode = np.array([one["drive"] for one in drawn]), np.array([one["mode"] for one in drawn])
    assert abs(drive.mean() - 0.5) < 0.02 and abs(drive.var() - 1 / 12) < 0.01
    assert set(mode) == {0.0, 1.0, 2.0} and all(abs(np.mean(mode == one) - 1 / 3) < 0.04 for one in range(3))
    assert drawn == draw_positions(KNOBS, 3000, "uniform", np.random.default_rng(5))
    assert drawn != draw_positions(KNOBS, 3000, "uniform", np.random.default_rng(6))


def test_a_latin_hypercube_visits_every_stratum_once():
    knobs = (Control("a", -2.0, 3.0), Control("b"))
    drawn = draw_positions(knobs, 40, "latin", np.random.default_rng(1))
    for knob in knobs:
        shares = (np.array([one[knob.name] for one in drawn]) - knob.minimum) / (knob.maximum - knob.minimum)
        assert sorted(np.floor(shares * 40).astype(int)) == list(range(40))


def test_a_grid_takes_all_corners_and_refuses_what_does_not_fit():
    drawn = draw_positions(KNOBS, 16, "grid", np.random.default_rng(0))
    assert len(drawn) == 15 and {(one["drive"], one["mode"]) for one in drawn} == {(d / 4, m) for d in range(5) for m in (0.0, 1.0, 2.0)}
    with pytest.raises(CircuitError, match="Give at least 6"):
        draw_positions(KNOBS, 5, "grid", np.random.default_rng(0))
    with pytest.raises(CircuitError, match="no controls"):
        draw_positions((), 5, "uniform", np.random.default_rng(0))
    with pytest.raises(CircuitError, match="Use one of uniform"):
        draw_positions(KNOBS, 5, "sobol", np.random.default_rng(0))


def test_tables_of_positions(tmp_path):
    table = tmp_path / "where.csv"
    table.write_text("mode\n2\n0\n")
    assert read_positions(table, KNOBS) == ({"drive": 0.5, "mode": 2.0}, {"drive": 0.5, "mode": 0.0})
    for text, words in (("gain\n1\n", "'gain' is no control"), ("drive,drive\n0,0\n", "stands twice"), ("drive\nlots\n", "line 2, column 1"),
                        ("drive\n2\n", "out of range"), ("drive\n", "no positions"), ("drive,mode\n0.1\n", "1 numbers for 2")):
        table.write_text(text)
        with pytest.raises((SignalError, CircuitError), match=words):
            read_positions(table, KNOBS)


@pytest.mark.parametrize("seed", range(5))
def test_parts_never_touch(seed):
    parts = divide(30 * 48000, RATE, np.random.default_rng(seed), guard=0.25)
    owner = np.full(30 * 48000, -1)
    for index, spans in enumerate(parts.values()):
        for start, stop in spans:
            assert (owner[start:stop] == -1).all()
            owner[start:stop] = index
    shares = [np.mean(owner == index) for index in range(3)]
    assert shares[0] > 0.6 and min(shares[1:]) > 0.08
    kinds = owner[owner >= 0]
    places = np.flatnonzero(owner >= 0)
    changes = np.flatnonzero(np.diff(kinds))
    assert len(changes) and np.diff(places)[changes].min() > 0.25 * RATE
    with pytest.raises(SignalError, match="too short"):
        divide(4800, RATE, np.random.default_rng(0))


class Counting:
    """Makes shapers, and counts how many."""

    def __init__(self, fail_at=None):
        self.made, self.fail_at = [], fail_at

    def __call__(self, positions):
        if len(self.made) == self.fail_at:
            raise CircuitError("the tube broke", mend="Buy another.")
        self.made.append(dict(positions))
        return Shaper(RATE, 1.0 + 9.0 * positions["drive"])


def plan(folder, n=6, seed=2, **options):
    rng = np.random.default_rng(seed)
    return plan_dataset(folder, DRY, RATE, KNOBS, draw_positions(KNOBS, n, "uniform", rng), rng=rng, facts={"seed": seed}, **options)


def test_renderings_are_the_model_and_are_read_back(tmp_path):
    told = []
    done = render_dataset(plan(tmp_path / "set", held=0.34), Counting(), backend="threading", n_jobs=1, progress=lambda share, text: told.append(share))
    again = read_dataset(tmp_path / "set")
    assert again == done and told[-1] == 1.0 and sum(item.held for item in again.items) == 2
    for item in again.items:
        expected = Shaper(RATE, 1.0 + 9.0 * item.positions["drive"]).process(DRY)
        assert np.array_equal(again.samples(item), expected.astype(np.float32))
    assert np.array_equal(again.samples(again.dry), DRY)


def test_a_dataset_goes_on_where_it_stopped(tmp_path):
    with pytest.raises(CircuitError, match="at drive=.*the tube broke"):
        render_dataset(plan(tmp_path / "set"), Counting(fail_at=4), backend="threading", n_jobs=1)
    assert sum(bool(item.digest) for item in read_dataset(tmp_path / "set").items) == 4
    rest = Counting()
    done = render_dataset(plan(tmp_path / "set"), rest, backend="threading", n_jobs=1)
    assert len(rest.made) == 2 and all(item.digest for item in done.items)
    path = tmp_path / "set" / done.items[1].file
    path.write_bytes(path.read_bytes()[:-8])  # damaged since
    with pytest.raises(SignalError, match="digest differs"):
        done.samples(done.items[1])
    once = Counting()
    whole = render_dataset(plan(tmp_path / "set"), once, backend="threading", n_jobs=1)
    assert once.made == [dict(done.items[1].positions)] and whole == done


def test_another_dataset_in_the_folder_is_not_touched(tmp_path):
    plan(tmp_path / "set")
    with pytest.raises(SignalError, match="another dataset: parts, positions, seed"):
        plan(tmp_path / "set", seed=3)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "diary.txt").write_text("private")
    with pytest.raises(SignalError, match="other things"):
        plan(tmp_path / "full")


def test_recorded_datasets_need_no_digests_and_manifests_are_not_trusted(tmp_path):
    done = render_dataset(plan(tmp_path / "set", n=2), Counting(), backend="threading", n_jobs=1)
    path = tmp_path / "set" / MANIFEST
    content = json.loads(path.read_text())
    for item in (content["dry"], *content["items"]):
        item["digest"] = None
    path.write_text(json.dumps(content))
    read = read_dataset(tmp_path / "set")
    assert np.array_equal(read.samples(read.items[0]), read_audio(tmp_path / "set" / done.items[0].file).samples)

    def refused(words, change):
        other = json.loads(json.dumps(content))
        change(other)
        path.write_text(json.dumps(other))
        with pytest.raises((SignalError, CircuitError), match=words):
            read_dataset(tmp_path / "set")

    refused("no file of this folder", lambda c: c["items"][0].update(file="../dry.wav"))
    refused("out of range", lambda c: c["items"][0]["positions"].update(drive=7.0))
    refused("overlap", lambda c: c["parts"].update(test=c["parts"]["train"]))
    refused("version 9", lambda c: c.update(version=9))
    refused("incomplete", lambda c: c.pop("parts"))
    refused("item 0 sets", lambda c: c["items"][0].update(positions={}))
    path.write_text("{")
    with pytest.raises(SignalError, match="not JSON"):
        read_dataset(tmp_path / "set")
    with pytest.raises(SignalError, match="dataset.json"):
        read_dataset(tmp_path / "nowhere")
