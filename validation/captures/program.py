"""From a capture's layers to the flat program that the kernels play: buffers, packed weights, operations.

Buffers that a convolution looks back into keep their own history, so a layer's output is written straight to where the
next layer reads it. Factors that cost nothing are folded in float64 before rounding: the head scale into the last head.

References
----------
van den Oord et al., WaveNet: A Generative Model for Raw Audio, 2016, section 2.4 (the layers).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from circuits.errors import ModelFileError, Place
from validation.captures import kernels as k
from validation.captures.activations import Activation, plain
from validation.captures.nets import (Affine, Convolution, Film, Gru, Lstm, Model, Residual, Softmax, TemporalFilm, WaveNet, WaveNetLayer,
                                      Window)
from validation.captures.packing import pack_gru, pack_lstm, strided_responses
from validation.captures.simd import LANES, PADDING
from validation.captures.temporal import at_rest, pack

LINE = 16  # numbers: a cache line of float32, two of float64
MAX_ARENA = 2**27  # numbers: half a gigabyte in float32


@dataclass(frozen=True, slots=True)
class Program:
    """What `kernels.play` needs, before any sound.

    Parameters
    ----------
    arena_size : int
        Numbers in the arena.
    weights : ndarray, float32 or float64
        Packed for the kernels; read-only.
    table : ndarray, int64
        Header, operations, row addresses and buffers; a player copies it, because its position moves.
    recurrent : tuple of (offset, padded, initial h, initial c or None)
        Where the states of recurrent layers stand in the arena, and their values in the file.
    lanes : int
        Vector length of the working type.
    """

    arena_size: int
    weights: np.ndarray
    table: np.ndarray
    recurrent: tuple
    lanes: int


@dataclass(frozen=True, slots=True)
class Rows:
    """Some channels of a buffer."""

    buffer: int
    first: int
    count: int

    def part(self, start: int, count: int) -> "Rows":
        """Fewer of them."""
        return Rows(self.buffer, self.first + start, count)


class Builder:
    """Collects buffers, rows, operations and weights; `finish` lays them out."""

    def __init__(self, model: Model, dtype):
        self.model, self.dtype = model, np.dtype(dtype)
        self.lanes = LANES if self.dtype == np.float32 else LANES // 2
        self.buffers: list[tuple[int, int]] = []
        self.rows: list[tuple[int, int, int]] = []
        self.operations: list[list] = []
        self.weights: list[np.ndarray] = []
        self.n_weights = 0
        self.recurrent: list[tuple] = []
        self.shared: dict[tuple[str, int], Rows] = {}

    def buffer(self, channels: int, history: int = 0) -> Rows:
        """New channels with a history."""
        self.buffers.append((channels, history))
        return Rows(len(self.buffers) - 1, 0, channels)

    def scratch(self, role: str, channels: int) -> Rows:
        """Channels that are read before the next layer writes them again: shared, so that they stay in the cache."""
        if (role, channels) not in self.shared:
            self.shared[role, channels] = self.buffer(channels)
        return self.shared[role, channels]

    def numbers(self, values) -> int:
        """Pack some weights; returns where they stand."""
        values = np.asarray(values, dtype=np.float64).ravel()
        values = np.pad(values, (0, -len(values) % LINE))
        self.weights.append(values)
        self.n_weights += len(values)
        return self.n_weights - len(values)

    def operation(self, *fields) -> None:
        """Append one operation; Rows among the fields become address and stride, None stands for no rows."""
        self.operations.append([*fields])

    def convolve(self, parts, bias, target: Rows, start: Rows | None = None) -> None:
        """target = bias + start + all parts, each (weight (out, in, K), rows, dilation)."""
        first_row, columns = len(self.rows), []
        for weight, source, dilation in parts:
            taps = weight.shape[2]
            for tap in range(taps):
                for channel in range(source.count):
                    self.rows.append((source.buffer, source.first + channel, (taps - 1 - tap) * dilation))
                    columns.append(weight[:, channel, tap])
        matrix = np.array(columns).reshape(len(columns), target.count)
        bias = np.zeros(target.count) if bias is None else bias
        done = 0
        for size in k.groups_of(target.count):
            packed = np.concatenate([bias[done:done + size], matrix[:, done:done + size].ravel()])
            self.operation(k.CONVOLVE, first_row, len(columns), target.part(done, size), size,
                           None if start is None else start.part(done, size), self.numbers(packed))
            done += size

    def grouped(self, layer: Convolution, source: Rows, target: Rows, start: Rows | None = None) -> None:
        """One convolution with its groups."""
        n_out, n_in = layer.n_out // layer.groups, layer.weight.shape[1]
        for group in range(layer.groups):
            rows = slice(group * n_out, (group + 1) * n_out)
            self.convolve([(layer.weight[rows], source.part(group * n_in, n_in), layer.dilation)],
                          None if layer.bias is None else layer.bias[rows], target.part(group * n_out, n_out),
                          None if start is None else start.part(group * n_out, n_out))

    def activate(self, layer: Activation, source: Rows, target: Rows, total: Rows | None = None) -> None:
        """target = f(source), and total += target."""
        self.operation(k.ACTIVATE, source, target, total, source.count, layer.code, self.numbers(layer.rows(source.count)))

    def combine(self, code: int, target: Rows, first: Rows, second: Rows, third: Rows | None = None) -> None:
        """One of multiply, add, modulate (first * second + third) and blend."""
        self.operation(code, target, first, second, second if third is None else third, target.count)

    def zero(self, target: Rows) -> None:
        """target = 0."""
        self.operation(k.ZERO, target, target.count)

    def film(self, film: Film | None, values: Rows, condition: Rows, target: Rows | None = None) -> Rows:
        """target = scale(c) values + shift(c); in place without a target; does nothing without a FiLM."""
        if film is None:
            return values
        both = self.scratch("film", film.convolution.n_out)
        self.grouped(film.convolution, condition, both)
        target = values if target is None else target
        if film.shift:
            self.combine(k.MODULATE, target, values, both.part(0, values.count), both.part(values.count, values.count))
        else:
            self.combine(k.MULTIPLY, target, values, both)
        return target

    def net(self, layers: tuple, source: Rows) -> Rows:
        """All layers of a net; returns where its output stands."""
        for index, layer in enumerate(layers):
            following = layers[index + 1] if index + 1 < len(layers) else None
            history = _history(following)
            match layer:
                case Convolution():
                    target = self.buffer(layer.n_out, history)
                    self.grouped(layer, source, target)
                case Activation():
                    target = self.buffer(source.count, history)
                    self.activate(layer, source, target)
                case Affine():
                    target = self.buffer(source.count, history)
                    packed = self.numbers(np.column_stack([layer.scale, layer.shift]))
                    self.operation(k.AFFINE, source, target, source.count, packed)
                case Softmax():
                    target = self.buffer(source.count, history)
                    powers, total = self.buffer(source.count), self.buffer(source.count)
                    self.activate(plain("exp"), source, powers)
                    self.convolve([(np.ones((source.count, source.count, 1)), powers, 1)], None, total)
                    self.combine(k.DIVIDE, target, powers, total)
                case Lstm() | Gru():
                    target = self.buffer(layer.u.shape[1], history)
                    self._recurrent(layer, source, target)
                case Residual():
                    target = self._residual(layer, source, history)
                case Window():
                    target = self._window(layer, source, history)
                case WaveNet():
                    target = self._wavenet(layer, source, history)
            source = target
        return source

    def _recurrent(self, layer, source: Rows, target: Rows) -> None:
        hidden, n_in = layer.u.shape[1], layer.w.shape[1]
        is_lstm = isinstance(layer, Lstm)
        packed = pack_lstm(layer, self.lanes) if is_lstm else pack_gru(layer, self.lanes)
        padded = -(-hidden // self.lanes) * self.lanes
        self.operation(k.LSTM if is_lstm else k.GRU, source, target, n_in, len(self.recurrent), hidden, self.numbers(packed))
        self.recurrent.append((padded, layer.h0, layer.c0 if is_lstm else None))

    def _residual(self, layer: Residual, source: Rows, history: int) -> Rows:
        z = self.scratch("z", layer.convolution.n_out)
        self.grouped(layer.convolution, source, z)
        self.activate(layer.activation, z, z)
        target = self.buffer(z.count, history)
        factors = np.diag(layer.scale) if source.count == z.count else layer.scale[:, None]
        self.convolve([(factors[:, :, None], source, 1)], None, target, z)
        return target

    def _temporal(self, layer: TemporalFilm, rows: Rows) -> None:
        h, c = at_rest(rows.count)
        padded = -(-len(h) // LINE) * LINE
        self.operation(k.TEMPORAL, rows, rows, rows.count, len(self.recurrent), layer.block, self.numbers(pack(layer.w, layer.u, layer.b)), padded)
        self.recurrent.append((padded, h, c))

    def _window(self, layer: Window, source: Rows, history: int) -> Rows:
        """Strided linear convolutions are one convolution for each step of the LSTM, which starts from zero."""
        cell, hidden = layer.lstm, layer.lstm.u.shape[1]
        response = strided_responses(layer)  # (steps, length + 1, features): the last entry is the constant
        h = c = None
        for weight in response:
            features = self.buffer(weight.shape[1])
            kernel = np.ascontiguousarray(weight[:-1].T)[:, None, :]
            self.convolve([(kernel, source, 1)], weight[-1], features)
            gates = self.buffer(4 * hidden)
            parts = [(cell.w[:, :, None], features, 1)]
            if h is not None:
                parts.append((cell.u[:, :, None], h, 1))
            self.convolve(parts, cell.b, gates)
            i, f, g, o = (gates.part(gate * hidden, hidden) for gate in range(4))
            for rows, kind in ((i, "sigmoid"), (f, "sigmoid"), (g, "tanh"), (o, "sigmoid")):
                self.activate(plain(kind), rows, rows)
            new_c, h = self.buffer(hidden), self.buffer(hidden)
            self.combine(k.MULTIPLY, new_c, i, g)
            if c is not None:
                self.combine(k.MODULATE, new_c, f, c, new_c)
            c = new_c
            self.activate(plain("tanh"), c, h)
            self.combine(k.MULTIPLY, h, h, o)
        target = self.buffer(layer.dense.n_out, history)
        self.grouped(layer.dense, h, target)
        return target

    def _wavenet(self, net: WaveNet, source: Rows, history: int) -> Rows:
        condition = self.net(net.condition, source) if net.condition else source
        y, total = source, None
        for index, array in enumerate(net.arrays):
            last = index + 1 == len(net.arrays)
            fresh = total is None
            if fresh:
                total = self.buffer(array.layers[0].head_width, array.head.memory)
            target = self._input_of(array.layers[0])
            self.grouped(array.rechannel, y, target)
            y = target
            for number, layer in enumerate(array.layers):
                following = array.layers[number + 1] if number + 1 < len(array.layers) else None
                y = self._layer(layer, y, condition, total, fresh and number == 0, following, last)
            head = array.head
            if last:
                head = replace(head, weight=net.head_scale * head.weight,
                               bias=None if head.bias is None else net.head_scale * head.bias)
                result = self.buffer(head.n_out, 0 if net.post else history)
            else:
                result = self.buffer(head.n_out, net.arrays[index + 1].head.memory)
            self.grouped(head, total, result)
            total = result
        for number, (activation, convolution) in enumerate(net.post):
            shaped = self.buffer(total.count, convolution.memory)
            self.activate(activation, total, shaped)
            total = self.buffer(convolution.n_out, history if number + 1 == len(net.post) else 0)
            self.grouped(convolution, shaped, total)
        return total

    def _input_of(self, layer: WaveNetLayer) -> Rows:
        """Where a layer wants its input: with the history of its convolution, unless a FiLM comes first."""
        return self.buffer(layer.convolution.n_in, 0 if layer.films[0] else layer.convolution.memory)

    def _layer(self, layer: WaveNetLayer, y: Rows, c: Rows, total: Rows, fresh: bool, following, last: bool) -> Rows:
        pre, act_pre = layer.films[0], layer.films[4]
        source = y
        if pre is not None:
            source = self.film(pre, y, c, self.buffer(y.count, layer.convolution.memory))
        z = self.scratch("z", layer.convolution.n_out)
        if layer.mixin is None:
            self.grouped(layer.convolution, source, z)
        else:
            self._mixed(layer, source, z, c)
        self.film(act_pre, z, c)
        return self._activated(layer, y, z, c, total, fresh, following, last)

    def _mixed(self, layer: WaveNetLayer, source: Rows, z: Rows, c: Rows) -> None:
        """The dilated convolution and the mix-in of the condition."""
        _, post, mix_pre, mix_post, *_ = layer.films
        mixed = c if mix_pre is None else self.film(mix_pre, c, c, self.scratch("mixed", c.count))
        plain_mix = post is None and mix_post is None and layer.convolution.groups == layer.mixin.groups == 1
        if plain_mix:
            self.convolve([(layer.convolution.weight, source, layer.convolution.dilation),
                           (layer.mixin.weight, mixed, 1)], layer.convolution.bias, z)
        else:
            self.grouped(layer.convolution, source, z)
            self.film(post, z, c)
            if mix_post is None:
                self.grouped(layer.mixin, mixed, z, z)
            else:
                mix = self.scratch("mix", z.count)
                self.grouped(layer.mixin, mixed, mix)
                self.film(mix_post, mix, c)
                self.combine(k.ADD, z, z, mix)

    def _activated(self, layer: WaveNetLayer, y: Rows, z: Rows, c: Rows, total: Rows, fresh: bool, following, last: bool) -> Rows:
        """What comes behind the sum: activation, share of the head, residual."""
        *_, act_post, inner_post, head_post = layer.films
        top = z.part(0, layer.width)
        a = self.scratch("a", layer.width)
        direct = layer.gating == "none" and act_post is layer.temporal is layer.head1x1 is None
        if fresh and (direct or layer.head1x1 is None):
            self.zero(total)
        self.activate(layer.activation, top, a, total if direct else None)
        if layer.gating != "none":
            bottom = z.part(layer.width, layer.width)
            self.activate(layer.secondary, bottom, bottom)
            if layer.gating == "gated":
                self.combine(k.MULTIPLY, a, a, bottom)
            else:
                self.combine(k.BLEND, a, bottom, a, top)
        self.film(act_post, a, c)
        if layer.temporal is not None:
            self._temporal(layer.temporal, a)
        if layer.head1x1 is None:
            if not direct:
                self.combine(k.ADD, total, total, a)
        elif head_post is None:
            self.grouped(layer.head1x1, a, total, None if fresh else total)
        else:
            share = self.scratch("share", total.count)
            self.grouped(layer.head1x1, a, share)
            if fresh:
                self.zero(total)
            self.film(head_post, share, c)
            self.combine(k.ADD, total, total, share)
        if following is None and last:
            return y  # nobody reads the residual of the very last layer
        target = self.buffer(y.count) if following is None else self._input_of(following)
        if layer.layer1x1 is None:
            self.activate(plain("identity"), y, target)
        elif inner_post is None:
            self.grouped(layer.layer1x1, a, target, y)
        else:
            self.grouped(layer.layer1x1, a, target)
            self.film(inner_post, target, c)
            self.combine(k.ADD, target, target, y)
        return target

    def finish(self, source: Rows, result: Rows, n_knobs: int) -> Program:
        """Lay out the arena and the tables."""
        moved = sum(channels * history for channels, history in self.buffers)
        # room for one slab, and for more where histories are long, so that few numbers move for each sample
        room = max(k.SLAB, moved // sum(channels for channels, _ in self.buffers))
        at, places = PADDING, []
        for channels, history in self.buffers:
            at += -history % LINE  # the present begins on a cache line
            stride = ((history + room + PADDING) // LINE | 1) * LINE + 2 * LINE  # odd multiples share no cache sets
            places.append((at, stride))
            at += -(-channels * stride // LINE) * LINE + history % LINE
        at += -at % LINE
        recurrent = []
        for padded, h0, c0 in self.recurrent:
            recurrent.append((at, padded, h0, c0))
            at += (-(-3 * padded // LINE) + 1) * LINE
        if at > MAX_ARENA:
            raise ModelFileError(f"the net needs {at} numbers of memory", place=Place(self.model.path),
                                 mend=f"At most {MAX_ARENA} are held; the file is damaged.")

        def address(rows: Rows | None) -> tuple[int, int]:
            """Where the present of the first channel stands while the position is 0, and the way to the next channel."""
            if rows is None:
                return -1, 0
            base, stride = places[rows.buffer]
            return base + self.buffers[rows.buffer][1] + rows.first * stride, stride

        operations = np.zeros((len(self.operations), k.OP), dtype=np.int64)
        rows_at = k.HEADER + operations.size
        for index, fields in enumerate(self.operations):
            flat = []
            for field in fields:
                flat += address(field) if field is None or isinstance(field, Rows) else [field]
            if flat[0] == k.CONVOLVE:
                flat[1] += rows_at
            elif flat[0] in (k.LSTM, k.GRU, k.TEMPORAL):
                flat[6] = recurrent[flat[6]][0]
            operations[index, :len(flat)] = flat
        rows = np.array([address(Rows(buffer, channel, 1))[0] - delay for buffer, channel, delay in self.rows], dtype=np.int64)
        moving = [(*place, channels, history) for place, (channels, history) in zip(places, self.buffers) if history]
        buffers = np.array(moving, dtype=np.int64).ravel()
        header = np.zeros(k.HEADER, dtype=np.int64)
        header[k.N_OPS], header[k.OPS] = len(operations), k.HEADER
        header[k.N_BUFFERS], header[k.BUFFERS] = len(moving), rows_at + len(rows)
        header[k.POSITION], header[k.ROOM] = 0, room
        header[k.IN], header[k.IN_STRIDE] = address(source)
        header[k.OUT], header[k.N_KNOBS] = address(result)[0], n_knobs
        with np.errstate(over="ignore"):
            weights = np.concatenate(self.weights).astype(self.dtype)
        if not np.isfinite(weights).all():
            raise ModelFileError(f"a weight is too large for {self.dtype}", place=Place(self.model.path),
                                 mend="The training failed or the file is damaged.")
        table = np.concatenate([header, operations.ravel(), rows, buffers])
        weights.flags.writeable = table.flags.writeable = False
        return Program(at + PADDING, weights, table, tuple(recurrent), self.lanes)


def _history(layer) -> int:
    """Samples behind the present one that a layer reads of its input."""
    match layer:
        case Convolution():
            return layer.memory
        case Residual():
            return layer.convolution.memory
        case Window():
            return layer.length - 1
    return 0


def aligned(size: int, dtype) -> np.ndarray:
    """Zeros that begin on a cache line, so that vectors don't straddle two."""
    line = LINE * np.dtype(dtype).itemsize
    raw = np.zeros(size + LINE, dtype=dtype)
    first = -raw.ctypes.data % line // raw.itemsize
    return raw[first:first + size]


def build_program(model: Model, dtype) -> Program:
    """Translate a model for the kernels in float32 or float64.

    Raises
    ------
    ModelFileError
        If the net would need too much memory.
    """
    builder = Builder(model, dtype)
    source = builder.buffer(1 + len(model.knobs), _history(model.net[0]))
    return builder.finish(source, builder.net(model.net, source), len(model.knobs))
