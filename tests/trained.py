"""Arrays like those of trained networks: near a law of initializers, but not of it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from bins import Array

Generator = np.random.Generator
Make = Callable[[Generator, int, int], Array]


def glorot(rng: Generator, rows: int, columns: int) -> Array:
    bound = math.sqrt(6 / (rows + columns))
    return rng.uniform(-bound, bound, (rows, columns))


def he(rng: Generator, rows: int, columns: int) -> Array:
    return rng.normal(0, math.sqrt(2 / columns), (rows, columns))


def cut(rng: Generator, rows: int, columns: int) -> Array:
    """LeCun's normal, cut at two."""
    z = rng.standard_normal(2 * rows * columns + 1000)
    return z[np.abs(z) < 2][: rows * columns].reshape(rows, columns) / math.sqrt(columns)


def add_noise(make: Make, share: float) -> Make:
    """Each weight moved on its own, by a share of the std."""

    def change(rng: Generator, rows: int, columns: int) -> Array:
        values = make(rng, rows, columns)
        return values + rng.normal(0, share * values.std(), values.shape)

    return change


def add_rank(make: Make, share: float, rank: int = 4) -> Make:
    """An update of low rank, as gradients of few directions and adapters give."""

    def change(rng: Generator, rows: int, columns: int) -> Array:
        values = make(rng, rows, columns)
        update = rng.standard_normal((rows, rank)) @ rng.standard_normal((rank, columns))
        return values + update * (share * values.std() / update.std())

    return change


def scale_rows(make: Make, spread: float) -> Make:
    """Rows whose norms have grown apart."""

    def change(rng: Generator, rows: int, columns: int) -> Array:
        return make(rng, rows, columns) * np.exp(rng.normal(0, spread, (rows, 1)))

    return change


def prune(make: Make, share: float) -> Make:
    def change(rng: Generator, rows: int, columns: int) -> Array:
        values = make(rng, rows, columns)
        values[np.abs(values) < np.quantile(np.abs(values), share)] = 0
        return values

    return change


def mask(make: Make, share: float) -> Make:
    def change(rng: Generator, rows: int, columns: int) -> Array:
        return make(rng, rows, columns) * (rng.random((rows, columns)) >= share)

    return change


def clip(make: Make, limit: float) -> Make:
    """At so many stds."""

    def change(rng: Generator, rows: int, columns: int) -> Array:
        values = make(rng, rows, columns)
        return np.clip(values, -limit * values.std(), limit * values.std())

    return change


def quantize(make: Make, levels: int) -> Make:
    """To integers and back."""

    def change(rng: Generator, rows: int, columns: int) -> Array:
        values = make(rng, rows, columns)
        step = np.abs(values).max() / levels
        return np.round(values / step) * step

    return change


def draw_t(degrees: float) -> Make:
    return lambda rng, rows, columns: 0.02 * rng.standard_t(degrees, (rows, columns))


def mix(ratio: float) -> Make:
    """Half of the values with one std, half with another."""

    def make(rng: Generator, rows: int, columns: int) -> Array:
        return rng.normal(0, 0.02, (rows, columns)) * rng.choice([1.0, ratio], (rows, columns))

    return make


def shift(make: Make, share: float) -> Make:
    def change(rng: Generator, rows: int, columns: int) -> Array:
        values = make(rng, rows, columns)
        return values + share * values.std()

    return change


def fade(rng: Generator, rows: int, columns: int) -> Array:
    """Outputs, some of which have hardly learned and have decayed."""
    return he(rng, rows, columns) * np.where(rng.random((rows, 1)) < 0.2, 0.5, 1.0)


def center_near_one(rng: Generator, rows: int, columns: int) -> Array:
    """The weights of norms."""
    return rng.normal(1.0, 0.05, (rows, columns))


def pad(rng: Generator, rows: int, columns: int) -> Array:
    """An embedding whose first row is zero."""
    values = rng.normal(0, 0.02, (rows, columns))
    values[0] = 0
    return values


def set_gate(rng: Generator, rows: int, columns: int) -> Array:
    values = np.zeros((rows, columns))
    values[rows // 4 : rows // 2] = 1
    return values


def make_orthogonal_rows(rng: Generator, rows: int, columns: int) -> Array:
    """Positions as sines."""
    angles = np.arange(rows)[:, None] / 10000 ** (np.arange(columns)[None, :] / columns)
    return np.sin(angles)


TRAINED: dict[str, Make] = {
    "glorot, 1 % noise": add_noise(glorot, 0.01),
    "glorot, 3 % noise": add_noise(glorot, 0.03),
    "glorot, 10 % noise": add_noise(glorot, 0.10),
    "lecun cut, 3 % noise": add_noise(cut, 0.03),
    "lecun cut, 10 % noise": add_noise(cut, 0.10),
    "glorot, update of rank 4": add_rank(glorot, 0.05),
    "lecun cut, update of rank 4": add_rank(cut, 0.1),
    "he, large update of rank 1": add_rank(he, 0.7, 1),
    "glorot, rows scaled": scale_rows(glorot, 0.1),
    "he, rows scaled": scale_rows(he, 0.25),
    "lecun cut, rows scaled": scale_rows(cut, 0.1),
    "he, a tenth pruned": prune(he, 0.1),
    "glorot, half pruned": prune(glorot, 0.5),
    "he, 1 % masked": mask(he, 0.01),
    "glorot, dropped": mask(glorot, 0.1),
    "he, clipped at 2": clip(he, 2.0),
    "he, clipped at 3": clip(he, 3.0),
    "glorot, clipped": clip(glorot, 1.5),
    "he, 4 bits": quantize(he, 7),
    "he, 8 bits": quantize(he, 127),
    "glorot, 4 bits": quantize(glorot, 7),
    "glorot, 8 bits": quantize(glorot, 127),
    "t, 3": draw_t(3),
    "t, 5": draw_t(5),
    "t, 10": draw_t(10),
    "laplace": lambda rng, rows, columns: rng.laplace(0, 0.02, (rows, columns)),
    "logistic": lambda rng, rows, columns: rng.logistic(0, 0.02, (rows, columns)),
    "mixture 1:2": mix(2.0),
    "mixture 1:1.6": mix(1.6),
    "he, shifted": shift(he, 0.1),
    "glorot, shifted": shift(glorot, 0.1),
    "faded": fade,
    "near one": center_near_one,
    "padded": pad,
    "gate": set_gate,
    "sines": make_orthogonal_rows,
    "linspace": lambda rng, rows, columns: np.linspace(-1, 1, rows * columns).reshape(
        rows, columns
    ),
    "triangle": lambda rng, rows, columns: rng.triangular(-0.1, 0, 0.1, (rows, columns)),
    "folded": lambda rng, rows, columns: np.abs(he(rng, rows, columns)),
    "two values": lambda rng, rows, columns: rng.choice([-0.1, 0.1], (rows, columns)),
    "cut at 2.5": lambda rng, rows, columns: clip_redraw(rng, rows * columns, 2.5).reshape(
        rows, columns
    ),
    "cut at 1.5": lambda rng, rows, columns: clip_redraw(rng, rows * columns, 1.5).reshape(
        rows, columns
    ),
}


def clip_redraw(rng: Generator, size: int, limit: float) -> Array:
    z = rng.standard_normal(3 * size + 1000)
    return 0.02 * z[np.abs(z) < limit][:size]
