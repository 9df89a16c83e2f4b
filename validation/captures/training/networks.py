"""The trainable networks in torch: the same arrays as everywhere else, played with gradients.

Conventions: audio is (n_lanes, n_samples); convolutions are causal and start from zeros, so that the first
`Architecture.memory` samples of an excerpt are not yet true. Where ``hidden`` is a list, what the network knows before it adds up
its output is appended to it, (n_lanes, n_features, n_samples) each: hints for distillation are compared with that.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy.signal import lfilter

from validation.captures.architectures import HEAD_SCALE, Architecture
from validation.captures.training.recurrence import gru, modulated_lstm

State = tuple[torch.Tensor, ...] | None
_LONG = 256  # taps above which a convolution goes through the spectrum


def play(arch: Architecture, own: dict[str, torch.Tensor], x: torch.Tensor, state: State = None,
         hidden: list[torch.Tensor] | None = None) -> tuple[torch.Tensor, State]:
    """Play a network whose knobs are at rest.

    Parameters
    ----------
    arch : Architecture
    own : dict of str to tensor
        As `validation.captures.conditioning.effective` gives them.
    x : tensor, shape (n_lanes, n_samples)
    state : tuple of tensor, optional
        Of a recurrent network, from the excerpt before.
    hidden : list, optional
        Takes the hidden activations.

    Returns
    -------
    tensor, shape (n_lanes, n_samples)
    state
    """
    if arch.kind == "lstm":
        zeros = x.new_zeros(1, len(x), arch.widths[0])
        h, *state = torch.lstm(x[..., None], state or (zeros, zeros), [own["w"], own["u"], own["b"], torch.zeros_like(own["b"])], True, 1, 0.0,
                               True, False, True)
        _note(hidden, h.transpose(1, 2))
        return _head(arch, own, h, x), tuple(state)
    if arch.kind == "graybox":
        return _graybox(arch, own, x, state, hidden)
    if arch.kind == "gru":
        h = gru(own["w"] * x.T[:, None] + own["b"][:, None], own["u"], own["b_u"], state[0] if state else x.new_zeros(arch.widths[0], len(x)))
        _note(hidden, h.permute(2, 1, 0))
        return _head(arch, own, h.permute(2, 0, 1), x), (h[-1],)
    v = x[:, None]
    if arch.kind == "window":
        for index in range(len(arch.widths)):
            v = F.relu(_convolve(v, own[f"l{index}.weight"], own[f"l{index}.bias"]))
        _note(hidden, v)
        return F.conv1d(v, own["head.weight"], own["head.bias"])[:, 0], None
    return {"wavenet": _wavenet, "tcn": _tcn, "gcn": _gcn}[arch.kind](arch, own, v, hidden)[:, 0], None


def _note(hidden, features) -> None:
    if hidden is not None:
        hidden.append(features)


class _Filter(torch.autograd.Function):
    """A rational filter, (n_lanes, n_samples), in float64 on the processor; only the signal has a gradient: the same filter backwards in time."""

    @staticmethod
    def forward(ctx, x, b, a, memory):
        ctx.b, ctx.a = b, a
        y, memory = lfilter(b, a, x.detach().cpu().double().numpy(), axis=1, zi=memory.cpu().numpy())
        memory = torch.from_numpy(memory)
        ctx.mark_non_differentiable(memory)
        return torch.from_numpy(y).to(x), memory

    @staticmethod
    def backward(ctx, gradient, _):
        turned = gradient.detach().cpu().double().numpy()[:, ::-1]
        back = lfilter(ctx.b, ctx.a, turned, axis=1)[:, ::-1]
        return torch.from_numpy(np.ascontiguousarray(back)).to(gradient), None, None, None


def _graybox(arch, own, x, state, hidden):
    before, after = arch.halves
    halves = [{name.removeprefix(prefix): values for name, values in own.items() if name.startswith(prefix)} for prefix in ("pre.", "post.")]
    first = None if state is None else state[:2]
    memory = torch.zeros(len(x), len(own["stack.a"]) - 1, dtype=torch.float64) if state is None else state[2]
    y, first = play(before, halves[0], x, first, hidden)
    y, memory = _Filter.apply(y, own["stack.b"], own["stack.a"], memory)
    y, last = play(after, halves[1], y, None if state is None else state[3:], hidden)
    return y, (*first, memory, *last)


def _head(arch, own, h, x):
    y = h @ own["head.weight"][0] + own["head.bias"]
    return y + x if arch.skip else y


def _convolve(v, weight, bias=None, dilation: int = 1):
    if weight.shape[2] > _LONG:
        size = v.shape[2] + weight.shape[2]
        product = torch.einsum("lif,oif->lof", torch.fft.rfft(v, size), torch.fft.rfft(weight.flip(2), size))
        return torch.fft.irfft(product, size)[..., :v.shape[2]] + bias[:, None]
    return F.conv1d(F.pad(v, ((weight.shape[2] - 1) * dilation, 0)), weight, bias, dilation=dilation)


def _wavenet(arch, own, x, hidden):
    y, total = x, None
    for a, dilations in enumerate(arch.dilations):
        y = F.conv1d(y, own[f"a{a}.rechannel"])
        for j, dilation in enumerate(dilations):
            at = f"a{a}.l{j}"
            z = torch.tanh(_convolve(y, own[f"{at}.weight"], own[f"{at}.bias"], dilation) + own[f"{at}.mix"][:, 0] * x)
            y = y + F.conv1d(z, own[f"{at}.inner"], own[f"{at}.inner.bias"])
            total = z if total is None else total + z
        _note(hidden, total)
        total = F.conv1d(total, own[f"a{a}.head"], own.get(f"a{a}.head.bias"))
    return HEAD_SCALE * total


def _tcn(arch, own, x, hidden):
    y = x
    for j, dilation in enumerate(arch.dilations[0]):
        z = _convolve(y, own[f"l{j}.weight"], own[f"l{j}.bias"], dilation)
        y = F.prelu(z, own[f"l{j}.slope"]) + own[f"l{j}.residual"][:, None] * y
    _note(hidden, y)
    return F.conv1d(y, own["head.weight"], own["head.bias"])


def _gcn(arch, own, x, hidden):
    y, n = F.conv1d(x, own["rechannel"]), arch.widths[0]
    total = own["head.bias"]
    for j, dilation in enumerate(arch.dilations[0]):
        z = _convolve(y, own[f"l{j}.weight"], own[f"l{j}.bias"], dilation)
        a = torch.tanh(z[:, :n]) * torch.sigmoid(z[:, n:])
        if arch.block:
            a = _modulate(a, own[f"l{j}.tf.w"], own[f"l{j}.tf.u"], own[f"l{j}.tf.b"], arch.block)
        y = y + F.conv1d(a, own[f"l{j}.inner"], own[f"l{j}.inner.bias"])
        total = total + F.conv1d(a, own[f"l{j}.head"])
    _note(hidden, y)
    return total


def _modulate(a, w, u, b, block: int):
    """Temporal FiLM: the maxima of each block go through an LSTM, whose output scales and shifts the block after it."""
    lanes, n, length = a.shape
    count = -(-length // block)
    pooled = F.max_pool1d(F.pad(a, (0, count * block - length), value=-2.0), block).transpose(1, 2)  # |a| < 1: padding never wins
    zeros = a.new_zeros(1, lanes, 2 * n)
    h, _, _ = torch.lstm(pooled, (zeros, zeros), [w, u, b, torch.zeros_like(b)], True, 1, 0.0, True, False, True)
    h = torch.cat([torch.zeros_like(h[:, :1]), h[:, :-1]], dim=1).transpose(1, 2).repeat_interleave(block, dim=2)[..., :length]
    return (1.0 + h[:, :n]) * a + h[:, n:]


def play_dynamic(arch: Architecture, weights: dict[str, torch.Tensor], x: torch.Tensor, knobs: torch.Tensor, state: State = None,
                 hidden: list[torch.Tensor] | None = None) -> tuple[torch.Tensor, State]:
    """Play an LSTM whose rows are scaled, sample by sample, by a small LSTM that hears the input and the knobs: Ha et al. 2017, appendix A.2.3.

    The small one hears nothing of the large one, so that its states, and with them all factors of the large one, are known before it starts.
    """
    lanes, length = x.shape
    n, side = arch.widths[0], weights["dynamic.u"].shape[1]
    if state is None:
        state = (x.new_zeros(n, lanes), x.new_zeros(n, lanes), x.new_zeros(1, lanes, side), x.new_zeros(1, lanes, side))
    h, c, side_h, side_c = state
    heard = torch.cat([x.T[..., None], knobs.expand(length, lanes, -1)], dim=2)
    s, side_h, side_c = torch.lstm(heard, (side_h, side_c), [weights["dynamic.w"], weights["dynamic.u"], weights["dynamic.b"],
                                                             torch.zeros_like(weights["dynamic.b"])], True, 1, 0.0, True, False, False)
    rows = torch.cat([weights[f"dynamic.out.{name}"] for name in ("w", "u", "b")])
    h, c = modulated_lstm(x.T, s.transpose(1, 2), rows, weights["w"][:, 0], weights["b"], weights["u"], h, c)
    _note(hidden, h.permute(2, 1, 0))
    return _head(arch, weights, h.permute(2, 0, 1), x), (h[-1], c, side_h, side_c)
