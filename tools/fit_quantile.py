"""Recompute the coefficients of `xavinit.streams.quantile` from their definitions.

    python tools/fit_quantile.py

needs only mpmath, takes about half a minute and prints the two blocks of hexadecimal
constants that stand in `xavinit/streams/quantile.py`.

What is approximated. For the upper tail pair t + x = 1, x = P(|Z| < z), put
w = -log2(1 - x^2) = -log2(t (2 - t)). Then Q / x, with Q = sqrt(2) erfinv(x), is a smooth,
slowly growing function of w on the whole of [0, 64): sqrt(pi/2) at w = 0, and like
sqrt(2 ln 2 * w) far out. One rational function N(w)/D(w) therefore serves the centre and the
tail alike, without a branch. And -log2(f) = s L(s^2), s = (1 - f)/(1 + f), for f between
sqrt(1/2) and sqrt(2), where L(z) = (2 / ln 2) atanh(sqrt z)/sqrt z.

How. Weighted linear least squares on Chebyshev-like nodes in 90 digits, with weights driven
towards the minimax solution (Lawson's iteration); the denominator of the last round divides
the residuals of the next (Loeb's iteration). The result is rounded once to the working
precision.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

import mpmath as mp

mp.mp.dps = 90

Coefficients = list[mp.mpf]

# (w_max, degree of N, degree of D, degree of L): w_max is a little above the largest w of the
# dtype (31 for t = 2**-32, 63 for t = 2**-64).
FLOAT32 = (31.5, 6, 5, 2)
FLOAT64 = (63.5, 13, 12, 7)
ROUNDS = 12


def compute_quantile_ratio(w: mp.mpf) -> mp.mpf:
    """Q / x at w = -log2(1 - x^2), to about 80 digits."""
    if w == 0:
        return mp.sqrt(mp.pi / 2)
    y = mp.power(2, -w)
    x = mp.sqrt(1 - y)
    if x < mp.mpf("0.9"):
        return mp.sqrt(2) * mp.erfinv(x) / x
    # Near x = 1, erfinv would lose t = 1 - x: solve erfc(z) = t by Halley's iteration instead.
    t = y / (1 + x)
    z = mp.sqrt(-mp.log(t))
    while True:
        step = (mp.erfc(z) - t) / (-2 / mp.sqrt(mp.pi) * mp.exp(-z * z))
        step /= 1 + z * step
        z -= step
        if abs(step) < mp.mpf(10) ** -70 * z:
            return mp.sqrt(2) * z / x


def compute_log_ratio(z: mp.mpf) -> mp.mpf:
    """L(z) = (2 / ln 2) atanh(sqrt z) / sqrt z, with its limit at zero."""
    root = mp.sqrt(z)
    return 2 / mp.log(2) * (mp.atanh(root) / root if z else mp.mpf(1))


def fit_rational(
    function: Callable[[mp.mpf], mp.mpf], points: Sequence[mp.mpf], top: int, bottom: int
) -> tuple[mp.mpf, Coefficients, Coefficients]:
    """Near-minimax (in relative error) rational fit; returns error, N and D, D[0] = 1."""
    values = [function(point) for point in points]
    scale = max(points)
    powers = [[(point / scale) ** k for k in range(max(top, bottom) + 1)] for point in points]
    size = top + 1 + bottom
    weights = [mp.mpf(1)] * len(points)
    denominators = [mp.mpf(1)] * len(points)
    best: tuple[mp.mpf, mp.matrix] | None = None
    for _ in range(ROUNDS):
        normal = mp.matrix(size, size)
        right = mp.matrix(size, 1)
        for power, value, weight, denominator in zip(
            powers, values, weights, denominators, strict=True
        ):
            row = power[: top + 1] + [-value * p for p in power[1 : bottom + 1]]
            weight = weight / (denominator * value) ** 2
            for i in range(size):
                right[i] += weight * row[i] * value
                for j in range(size):
                    normal[i, j] += weight * row[i] * row[j]
        solution = mp.lu_solve(normal, right)
        errors = []
        for i, (power, value) in enumerate(zip(powers, values, strict=True)):
            numerator = mp.fsum(solution[k] * power[k] for k in range(top + 1))
            denominators[i] = 1 + mp.fsum(
                solution[top + k] * power[k] for k in range(1, bottom + 1)
            )
            errors.append(abs(numerator / denominators[i] / value - 1))
        worst = max(errors)
        if best is None or worst < best[0]:
            best = (worst, solution)
        weights = [
            weight * (error / worst + mp.mpf("0.01"))
            for weight, error in zip(weights, errors, strict=True)
        ]
        total = mp.fsum(weights)
        weights = [weight / total for weight in weights]
    assert best is not None
    worst, solution = best
    return (
        worst,
        [solution[k] / scale**k for k in range(top + 1)],
        [mp.mpf(1)] + [solution[top + k] / scale**k for k in range(1, bottom + 1)],
    )


def make_points(end: mp.mpf, count: int) -> list[mp.mpf]:
    """Nodes in (0, end), dense at both ends and densest at zero, where the bend is."""
    return [
        end * ((1 - mp.cos(mp.pi * (k + mp.mpf(1) / 2) / count)) / 2) ** 2 for k in range(count)
    ]


def format_hex(value: mp.mpf, single: bool) -> str:
    """The working-precision number nearest to value, as a hexadecimal literal."""
    number = float(value)
    return (struct.unpack("<f", struct.pack("<f", number))[0] if single else number).hex()


def fit(w_max: float, top: int, bottom: int, log_degree: int) -> dict[str, Coefficients]:
    """All three coefficient lists of one precision, unrounded, lowest power first."""
    points = make_points(mp.mpf(w_max), 160)
    _, numerator, denominator = fit_rational(compute_quantile_ratio, points, top, bottom)
    edge = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2
    _, log, _ = fit_rational(compute_log_ratio, make_points(edge, 40), log_degree, 0)
    return {"numerator": numerator, "denominator": denominator, "log": log}


def main() -> None:
    for name, shape in (("float32", FLOAT32), ("float64", FLOAT64)):
        print(f"# {name}")
        for part, coefficients in fit(*shape).items():
            print(f"{part}:")
            for value in coefficients:
                print(f'    "{format_hex(value, name == "float32")}",')


if __name__ == "__main__":
    main()
