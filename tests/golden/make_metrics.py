"""Writes metrics.json: the golden pairs scored by auraloss, torch, pyloudnorm and librosa, in float64.

    python -m venv venv && venv/bin/pip install torch==2.13.0 auraloss==0.4.0 pyloudnorm==0.2.0 librosa==0.11.0
    cd tests/golden && ../../venv/bin/python make_metrics.py
"""

import json
from importlib.metadata import version

import librosa
import numpy as np
import pyloudnorm
import torch
from auraloss.freq import MultiResolutionSTFTLoss, STFTLoss
from auraloss.perceptual import FIRFilter
from auraloss.time import DCLoss, ESRLoss, LogCoshLoss, SDSDRLoss, SISDRLoss, SNRLoss
from metric_signals import pairs, whole_blocks
from scipy.fft import dct


def _filtered(kind, rate, estimate, target, **settings):
    return FIRFilter(kind, fs=rate, **settings).double()(estimate, target)


def main():
    torch.set_default_dtype(torch.float64)
    golden = {"versions": {name: version(name) for name in ("torch", "auraloss", "pyloudnorm", "librosa")}, "pairs": {}}
    for name, (rate, target, estimate) in pairs().items():
        y, x = (torch.tensor(s).view(1, 1, -1) for s in (target, estimate))
        scores = {
            "esr": ESRLoss(eps=0.0)(x, y), "dc_error": DCLoss(eps=0.0)(x, y), "log_cosh": LogCoshLoss(eps=0.0)(x, y),
            "snr": -SNRLoss(eps=0.0)(x, y), "si_sdr": -SISDRLoss(eps=0.0)(x, y), "sd_sdr": -SDSDRLoss(eps=0.0)(x, y),
            "esr_first_order": ESRLoss(eps=0.0)(*_filtered("hp", rate, x, y)),
            "esr_a_weighted": ESRLoss(eps=0.0)(*_filtered("aw", rate, x, y)),
            # the high-pass with its coefficient turned over is the low-pass of the paper
            "esr_a_weighted_low_passed": ESRLoss(eps=0.0)(*_filtered("hp", rate, *_filtered("aw", rate, x, y), coef=-0.85)),
            "mean_absolute_error": torch.nn.L1Loss()(x, y), "root_mean_square_error": torch.sqrt(torch.nn.MSELoss()(x, y)),
            "normalised_error": torch.sqrt(torch.nn.MSELoss()(x, y)) / torch.std(y, correction=0),
            "multi_resolution_stft": MultiResolutionSTFTLoss()(x, y),
            "stft_1024": STFTLoss(1024, 256, 1024)(x, y),
        }
        # librosa: log-spectral and mel-cepstral distances from its own transform and mel bank
        powers = [np.abs(librosa.stft(s, n_fft=2048, hop_length=512, pad_mode="reflect")) ** 2 for s in (target, estimate)]
        least = powers[0].max() * 1e-8
        decibels = [10 * np.log10(np.maximum(p, least)) for p in powers]
        scores["log_spectral_distance"] = np.mean(np.sqrt(np.mean((decibels[0] - decibels[1]) ** 2, axis=0)))
        bank = librosa.filters.mel(sr=rate, n_fft=2048, n_mels=80, dtype=np.float64)
        cepstra = []
        for power in powers:
            mel = bank @ power
            cepstra.append(dct(np.log(np.sqrt(np.maximum(mel, mel.max() * 1e-8))), axis=0)[1:25] / 80.0)
        scores["mel_cepstral_distance"] = np.mean(10 / np.log(10) * np.sqrt(2 * np.sum((cepstra[0] - cepstra[1]) ** 2, axis=0)))
        meter = pyloudnorm.Meter(rate, filter_class="DeMan")
        scores["loudness_target"], scores["loudness_estimate"] = (
            meter.integrated_loudness(whole_blocks(rate, s)) for s in (target, estimate))
        golden["pairs"][name] = {key: float(value) for key, value in scores.items()}
    with open("metrics.json", "w", encoding="utf-8") as file:
        json.dump(golden, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
