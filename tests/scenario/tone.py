# SPDX-License-Identifier: Apache-2.0
"""Tones: making them, and telling what a piece of sound is."""
import math

import numpy


def make(hz, dbfs, rate, first, n):
    """n samples of 16 bit, from sample number first on. A full-scale sine is 0 dBFS."""
    at = (numpy.arange(n) + first) * (2 * math.pi * hz / rate)
    return (32767 * 10 ** (dbfs / 20) * numpy.sin(at)).astype(numpy.int16)


def measure(samples, rate):
    """(frequency in Hz, level in dBFS) of the strongest tone, or (0, -99) of silence."""
    x = numpy.asarray(samples, dtype=float) / 32768
    if len(x) < rate // 10 or numpy.max(numpy.abs(x)) < 0.003:
        return 0.0, -99.0
    spectrum = numpy.abs(numpy.fft.rfft(x * numpy.hanning(len(x)), 8 * len(x)))
    return float(numpy.argmax(spectrum)) * rate / (8 * len(x)), float(10 * math.log10(2 * numpy.mean(x * x) + 1e-12))


def of_ulaw(payload):
    """G.711 µ-law to 16 bit."""
    u = ~numpy.frombuffer(payload, dtype=numpy.uint8)
    value = (((u & 0x0F).astype(numpy.int32) << 3) + 0x84 << ((u & 0x70) >> 4)) - 0x84
    return numpy.where(u & 0x80, -value, value).astype(numpy.int16)


def to_ulaw(samples):
    s = numpy.asarray(samples, dtype=numpy.int32)
    sign = numpy.where(s < 0, 0x80, 0)
    s = numpy.minimum(numpy.abs(s), 32635) + 0x84
    exponent = numpy.floor(numpy.log2(s)).astype(numpy.int32) - 7
    mantissa = (s >> (exponent + 3)) & 0x0F
    return (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(numpy.uint8).tobytes()


def of_alaw(payload):
    """G.711 A-law to 16 bit."""
    a = numpy.frombuffer(payload, dtype=numpy.uint8) ^ 0x55
    exponent, mantissa = ((a & 0x70) >> 4).astype(numpy.int32), ((a & 0x0F).astype(numpy.int32) << 4) + 8
    value = numpy.where(exponent > 0, (mantissa + 0x100) << numpy.maximum(exponent - 1, 0), mantissa)
    return numpy.where(a & 0x80, value, -value).astype(numpy.int16)


def share(samples, rate, hz):
    """How much of the sound's energy lies within 15 Hz of that frequency, 0 to 1."""
    x = numpy.asarray(samples, dtype=float)
    spectrum = numpy.abs(numpy.fft.rfft(x * numpy.hanning(len(x)))) ** 2
    at = numpy.arange(len(spectrum)) * rate / len(x)
    return float(numpy.sum(spectrum[numpy.abs(at - hz) < 15]) / (numpy.sum(spectrum) + 1e-9))
