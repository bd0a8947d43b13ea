"""Stream `xavinit-1` once more, in plain Python: slow, scalar, and sharing no code with xavinit.

Written from the number contract alone (docs/reproducibility.md), with the standard library and
mpmath. Numbers are Python integers, fractions and floats. A float is an IEEE 754 double, and
each + − × ÷ on floats is one rounding; `single` rounds a double result to float32, which for
these operations on float32 numbers gives the same as one rounding (Figueroa, 1995: 53 ≥ 2·24 + 2).

Beside the bits, `compute_exact_normal` gives the real number that a normal element stands for.
"""

from __future__ import annotations

import ast
import hashlib
import math
import operator
import struct
from fractions import Fraction
from functools import lru_cache
from statistics import NormalDist
from typing import Any, NamedTuple

import mpmath as mp

# --- seed and stream name → key → words -----------------------------------------------------------


def make_key(seed: int, stream: str) -> int:
    """BLAKE2b-128, personalized, over the seed and the name; read little-endian."""
    content = struct.pack("<Q", seed) + stream.encode("utf-8")
    return int(
        hashlib.blake2b(content, digest_size=16, person=b"xavinit-1").digest()[::-1].hex(), 16
    )


MASK = 2**64 - 1
MULTIPLIERS = 0xD2E7470EE14C6C93, 0xCA5A826395121157
WEYL = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B  # the golden ratio, √3 − 1


@lru_cache(maxsize=4096)
def philox(counter: int, key: int) -> tuple[int, int, int, int]:
    """Philox4x64-10: Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3".

    The first of the known answers that come with the authors' Random123:

    >>> [f"{word:016x}" for word in philox(0, 0)]
    ['16554d9eca36314c', 'db20fe9d672d0fdc', 'd7e772cee186176b', '7e68b68aec7ba23b']
    """
    c0, c1, c2, c3 = (counter >> shift & MASK for shift in (0, 64, 128, 192))
    k0, k1 = key & MASK, key >> 64
    for _ in range(10):
        p0, p1 = MULTIPLIERS[0] * c0, MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = p1 >> 64 ^ c1 ^ k0, p1 & MASK, p0 >> 64 ^ c3 ^ k1, p0 & MASK
        k0, k1 = k0 + WEYL[0] & MASK, k1 + WEYL[1] & MASK
    return c0, c1, c2, c3


def get_word(key: int, index: int) -> int:
    """64-bit word `index`: the counter is stepped before its first use."""
    return philox(index // 4 + 1, key)[index % 4]


def get_half(key: int, index: int) -> int:
    """32-bit half `index` of the words, low half first."""
    return get_word(key, index // 2) >> 32 * (index % 2) & 0xFFFFFFFF


# --- floats of every width ------------------------------------------------------------------------


class Format(NamedTuple):
    """A binary float format; a value is (−1)ˢ · (1.fraction) · 2ᵉ or (0.fraction) · 2^lowest."""

    bits: int
    fraction: int  # bits
    lowest: int  # exponent of the smallest normal number
    largest: float


FORMATS = {
    "float64": Format(64, 52, -1022, math.ldexp(2 - 2**-52, 1023)),
    "float32": Format(32, 23, -126, math.ldexp(2 - 2**-23, 127)),
    "float16": Format(16, 10, -14, 65504.0),
    "bfloat16": Format(16, 7, -126, math.ldexp(2 - 2**-7, 127)),
    "float8_e4m3fn": Format(8, 3, -6, 448.0),
    "float8_e5m2": Format(8, 2, -14, 57344.0),
}
INTEGERS = {
    "int64": (8, -(2**63), 2**63 - 1),
    "int32": (4, -(2**31), 2**31 - 1),
    "uint8": (1, 0, 255),
    "bool": (1, 0, 1),
}


def round_to(dtype: str, magnitude: Fraction, negative: bool = False) -> int:
    """The code of the nearest number of a format, a tie to the even code.

    >>> f"{round_to('float8_e4m3fn', Fraction(1, 3)):08b}"
    '00101011'
    """
    form = FORMATS[dtype]
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    if magnitude < Fraction(2) ** exponent:
        exponent -= 1
    exponent = max(exponent, form.lowest)
    unit = Fraction(2) ** (exponent - form.fraction)
    significand: int = round(magnitude / unit)  # a tie to even
    if significand == 2 ** (form.fraction + 1):
        significand, exponent = significand // 2, exponent + 1
    is_normal = significand >= 2**form.fraction
    biased = exponent - form.lowest + 1 if is_normal else 0
    code: int = biased << form.fraction | significand % 2**form.fraction
    if decode(dtype, code) > form.largest:
        raise ValueError(f"{float(magnitude)} is out of range of {dtype}")
    return code | negative << (form.bits - 1)


def decode(dtype: str, code: int) -> float:
    """The number of a code: exact, since every format is part of float64.

    >>> decode("float8_e4m3fn", 0b00101011)
    0.34375
    """
    form = FORMATS[dtype]
    biased = code >> form.fraction & (1 << (form.bits - 1 - form.fraction)) - 1
    fraction = code % 2**form.fraction
    significand = fraction + 2**form.fraction if biased else fraction
    value = math.ldexp(significand, form.lowest + max(biased, 1) - 1 - form.fraction)
    return -value if code >> (form.bits - 1) else value


def single(value: float) -> float:
    """The nearest float32."""
    rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return rounded


# --- fans → law -----------------------------------------------------------------------------------

GAINS = {
    "linear": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "leaky_relu": math.sqrt(2 / (1 + 0.01 * 0.01)),
    "selu": 3 / 4,
}
FAMILIES = {
    "glorot": ("fan_avg", 1.0),
    "xavier": ("fan_avg", 1.0),
    "he": ("fan_in", GAINS["relu"]),
    "lecun": ("fan_in", 1.0),
    "kaiming": ("fan_in", GAINS["relu"]),
}
CUT_STD = 0.87962566103423978


class Law(NamedTuple):
    """A distribution and its bound (uniform), std (the others) or value (constant).

    What draws nothing has for its scale: start, step, repeat and the last axis (arange), the
    numbers (values), the last axis (log_arange).
    """

    kind: str
    scale: Any


def compute_fans(tensor: dict[str, Any]) -> tuple[int, int] | None:
    """fan_in and fan_out of a tensor's keys; None for rank 0 and 1 and for no elements."""
    shape = tensor["shape"]
    rank = len(shape)
    if rank < 2 or 0 in shape:
        return None

    def find(key: str) -> list[int]:
        given = tensor.get(key, [])
        return [axis % rank for axis in (given if isinstance(given, list) else [given])]

    batch, ins, outs = find("batch_axis"), find("in_axis"), find("out_axis")
    if not ins:
        rest = [axis for axis in range(rank) if axis not in batch]
        if tensor.get("layout", "out_in") == "out_in":  # out, in, spatial …
            outs, ins = rest[:1], rest[1:2]
        else:  # spatial …, in, out
            ins, outs = rest[-2:-1], rest[-1:]
    field = [axis for axis in range(rank) if axis not in batch + ins + outs]
    fan_in = math.prod(shape[axis] for axis in ins + field)
    fan_out = math.prod(shape[axis] for axis in outs + field)
    return fan_in, fan_out // tensor.get("fused", 1)


OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: lambda a, b: float(Fraction(a) // Fraction(b)),
}


def evaluate(number: Any, fans: tuple[int, int] | None) -> float:
    """A number as it stands, or the value of an expression: each operation one of doubles.

    >>> evaluate("0.02/sqrt(2*12)", None)
    0.004082482904638631
    """
    names = dict(zip(("fan_in", "fan_out"), fans or (), strict=False))

    def walk(node: Any) -> float:
        if isinstance(node, ast.Constant):
            return float(node.value)
        if isinstance(node, ast.Name):
            return float(names[node.id])
        if isinstance(node, ast.UnaryOp):
            return -walk(node.operand)
        if isinstance(node, ast.Call):
            return math.sqrt(walk(node.args[0]))
        value: float = OPERATORS[type(node.op)](walk(node.left), walk(node.right))
        return value

    return walk(ast.parse(number, mode="eval").body) if isinstance(number, str) else number


def compute_law(
    init: str | dict[str, Any], fans: tuple[int, int] | None, shape: list[int] | None = None
) -> Law:
    """The law of an initializer, its scale in float64."""
    keys = {"type": init} if isinstance(init, str) else init
    keys = {
        key: evaluate(value, fans) if key in ("bound", "std", "value") else value
        for key, value in keys.items()
    }
    name = keys["type"]
    row = shape[-1] if shape else 1
    if name == "arange":
        return Law(name, [keys.get("start", 0), keys.get("step", 1), keys.get("repeat", 1), row])
    if name == "values":
        return Law(name, keys["values"])
    if name == "log_arange":
        return Law(name, row)
    if name in ("zeros", "ones", "constant"):
        return Law("constant", {"zeros": 0, "ones": 1}.get(name, keys.get("value")))
    if name == "uniform":
        return Law("uniform", float(keys["bound"]))
    if name in ("normal", "truncated_normal"):
        return Law(name, float(keys["std"]))
    if name == "variance_scaling":
        mode, kind, gain = keys["mode"], keys["distribution"], 1.0
    else:
        family, _, kind = name.partition("_")
        mode, gain = FAMILIES[family]
    given = keys.get("gain", gain)
    gain = GAINS[given] if given in GAINS else float(evaluate(given, fans))
    assert fans is not None
    n = {"fan_in": float(fans[0]), "fan_out": float(fans[1]), "fan_avg": (fans[0] + fans[1]) / 2}
    squared = 3 / n[mode] if kind == "uniform" else 1 / n[mode]
    return Law(kind, gain * math.sqrt(squared))


def round_scale(law: Law, dtype: str) -> float:
    """The bound or the std of the uncut normal, as the element is multiplied by it."""
    scale = law.scale / CUT_STD if law.kind == "truncated_normal" else law.scale
    return float(scale) if dtype == "float64" else single(scale)


# --- the quantile, as its operations are written --------------------------------------------------

with mp.workdps(50):
    ALPHA, BETA = float(mp.erfc(mp.sqrt(2))), float(mp.erf(mp.sqrt(2)))
# For 32 and 64 bits: N, D and L, lowest power first.
COEFFICIENTS = {
    32: (
        "1.40d932p+0 1.3da78ap-2 1.66607p-5 1.119632p-8 1.13eb78p-12 1.3fae4ep-17 1.6f4d72p-26",
        "1p+0 1.0e85d8p-4 1.10f31ep-6 1.942f82p-11 1.e24a88p-15 1.42f5p-21",
        "1.71547ap+1 1.ec557p-1 1.31067cp-1",
    ),
    64: (
        "1.40d931ff626f7p+0 1.514829780ddfap-2 1.024eb0d2d2dc6p-4 1.1977c13a701a4p-7"
        " 1.d60ff050085e4p-11 1.36b9b2a439aefp-14 1.46e5d0fa6c650p-18 1.125679b2cc9c2p-22"
        " 1.72a86e8470652p-27 1.965d5b6aaa048p-32 1.3cd80a1705bb4p-37 1.98a8dc111b7ecp-43"
        " 1.dee38368c7988p-51 1.ae6a50b9b2878p-62",
        "1p+0 1.4d2a51ace066ep-4 1.dffb23f4a22a5p-6 1.f38cc6ca6bc63p-10 1.30fac6606f382p-12"
        " 1.e3409fe46d571p-17 1.3873eb10a3224p-20 1.6867934422d05p-25 1.11bdd0a221d26p-29"
        " 1.a167f07fe0e0bp-35 1.64ab50616d603p-40 1.d719115b85f8ap-47 1.999a826aaaa16p-56",
        "1.71547652b82fep+1 1.ec709dc3a047bp-1 1.2776c50ee3c92p-1 1.a61762d658436p-2"
        " 1.484afb8f1581ep-2 1.0ca15c96d64f7p-2 1.c46ec6ae826fbp-3 1.b58c5e6f676a1p-3",
    ),
}


def take_absolute_normal(m: int, bits: int, cut: bool) -> float:
    """|z| of the lower bits − 1 bits of a word, in the arithmetic of 32 or 64 bits."""
    r = single if bits == 32 else float
    unit = 2.0 ** (1 - bits)
    t = r(r(r(m) + 0.5) * unit)
    x = r(r(r(2 ** (bits - 1) - 1 - m) + 0.5) * unit)
    if cut:
        x = r(r(BETA) * x)
        t = r(r(ALPHA) + r(r(BETA) * t))
    z = take_quantile(t, x, bits)
    return min(z, 2.0) if cut else z


def take_quantile(t: float, x: float, bits: int) -> float:
    """Q = x·(N(w)/D(w)), w = −log₂(t·(2 − t))."""
    r = single if bits == 32 else float
    numerator, denominator, log = (
        [float.fromhex("0x" + text) for text in part.split()] for part in COEFFICIENTS[bits]
    )

    def horner(coefficients: list[float], variable: float) -> float:
        total = coefficients[-1]
        for coefficient in coefficients[-2::-1]:
            total = r(r(total * variable) + coefficient)
        return total

    def sum_powers(coefficients: list[float], w: float) -> float:
        square = r(w * w)
        odd = r(w * horner(coefficients[1::2], square))
        return r(horner(coefficients[0::2], square) + odd)

    y = r(t * r(2 - t))
    f, exponent = math.frexp(y)  # y = f·2ᵏ, f from ½ to 1; wanted: from √½ to √2
    if 2 * f <= r(math.sqrt(2)):
        f, exponent = 2 * f, exponent - 1
    s = r(r(1 - f) / r(1 + f))
    w = r(-exponent + r(s * horner(log, r(s * s))))
    return r(x * r(sum_powers(numerator, w) / sum_powers(denominator, w)))


# --- elements -------------------------------------------------------------------------------------


def make_element(law: Law, dtype: str, key: int, index: int) -> bytes:
    """The little-endian bytes of one element."""
    if law.kind in FIXED:
        return encode_constant(find_number(law, index), dtype)
    wide = dtype == "float64"
    word = get_word(key, index) if wide else get_half(key, index)
    value, negative = make_value(law, word, 64 if wide else 32, round_scale(law, dtype))
    return encode(dtype, round_to(dtype, Fraction(value), negative))


FIXED = "constant", "arange", "values", "log_arange"


def find_number(law: Law, index: int) -> bool | int | float:
    """The number of an element that is not drawn: an integer, or a double."""
    if law.kind == "arange":
        start, step, times, row = law.scale
        number: float = start + step * (index % row // times)  # integers stay integers
        return number
    if law.kind == "log_arange":
        with mp.workdps(80):
            return float(mp.log(index % law.scale + 1))
    if law.kind == "values":
        value: float = law.scale[index]
        return value
    constant: float = law.scale
    return constant


def make_value(law: Law, word: int, bits: int, scale: float) -> tuple[float, bool]:
    """The magnitude of a float32 or float64 element, and whether its sign is minus."""
    negative = bool(word >> (bits - 1))
    if law.kind != "uniform":
        m = word % 2 ** (bits - 1)
        z = take_absolute_normal(m, bits, law.kind == "truncated_normal")
        return z * scale if bits == 64 else single(z * scale), negative
    width = 24 if bits == 32 else 53
    s = (word >> (bits - width)) - (2**width if negative else 0)
    u = Fraction(2 * s + 1, 2**width)
    base = "float32" if bits == 32 else "float64"
    return decode(base, round_to(base, abs(u) * Fraction(scale))), negative


def encode(dtype: str, code: int) -> bytes:
    return code.to_bytes(FORMATS[dtype].bits // 8, "little")


def encode_constant(value: bool | int | float, dtype: str) -> bytes:
    """A float by float64 and one more rounding; an integer exactly."""
    if dtype in FORMATS:
        number = float(value)
        return encode(dtype, round_to(dtype, abs(Fraction(number)), math.copysign(1, number) < 0))
    size, lowest, largest = INTEGERS[dtype]
    if value != int(value) or not lowest <= value <= largest:
        raise ValueError(f"{value} is not one of {dtype}")
    return int(value).to_bytes(size, "little", signed=lowest < 0)


def compute_exact_normal(law: Law, dtype: str, key: int, index: int) -> float:
    """z·std as a real number, z from the exact t: 50 digits, rounded once to float64."""
    wide = dtype == "float64"
    word = get_word(key, index) if wide else get_half(key, index)
    bits = 64 if wide else 32
    z = compute_exact_quantile(word % 2 ** (bits - 1), bits, law.kind == "truncated_normal")
    value = float(z * Fraction(round_scale(law, dtype)))
    return -value if word >> (bits - 1) else value


@lru_cache(maxsize=4096)
def compute_exact_quantile(m: int, bits: int, cut: bool) -> Fraction:
    """Φ⁻¹(1 − t/2), with t = (m + ½)/2^(bits − 1), to 50 digits."""
    with mp.workdps(80):
        t = (m + mp.mpf(1) / 2) / mp.mpf(2) ** (bits - 1)
        if cut:
            t = mp.erfc(mp.sqrt(2)) + mp.erf(mp.sqrt(2)) * t
        z = mp.mpf(-NormalDist().inv_cdf(float(t / 2)))
        for _ in range(4):  # Newton doubles the digits
            wanting = mp.erfc(z / mp.sqrt(2)) - t if t < 0.5 else 1 - t - mp.erf(z / mp.sqrt(2))
            z += wanting * mp.sqrt(mp.pi / 2) * mp.exp(z * z / 2)
        mantissa, exponent = z.man_exp
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


# --- digest ---------------------------------------------------------------------------------------


def make_digest(tensors: dict[str, tuple[str, list[int], bytes]]) -> str:
    """SHA-256 of named tensors, each a dtype, a shape and its bytes."""
    total = hashlib.sha256()
    for name in sorted(tensors, key=lambda name: name.encode("utf-8")):
        dtype, shape, content = tensors[name]
        for text in (name.encode("utf-8"), dtype.encode("utf-8")):
            total.update(struct.pack("<Q", len(text)) + text)
        total.update(struct.pack(f"<{len(shape) + 1}Q", len(shape), *shape))
        total.update(content)
    return total.hexdigest()
