"""Make the tables behind glibc's logarithm, sine and cosine, for Python and for C.

    python tools/make_glibc_tables.py

writes xavinit/streams/glibc_tables.py and xavinit/streams/_kernel_mt_tables.h. glibc's `log` takes
a table of 128 inverses that its authors chose by a search, each near the center of its part of
[0x1.6p-1, 0x1.6p0); they stand below, as facts. All else follows: a logarithm is that of one over
the inverse, rounded to a multiple of 2⁻⁴³, and sine and
cosine of k/128 are each the sum of two float64.
"""

from __future__ import annotations

from pathlib import Path

import mpmath as mp

Tables = dict[str, tuple[str, list[tuple[float, ...]]]]  # what each is, and its rows

STREAMS = Path(__file__).parents[1] / "xavinit" / "streams"
mp.mp.prec = 300

# glibc 2.28 and later, and ARM's optimized routines, where they come from: 1/c of `log`.
INVERSES = """
0x1.734f0c3e0de9fp0 0x1.713786a2ce91fp0 0x1.6f26008fab5ap0 0x1.6d1a61f138c7dp0 0x1.6b1490bc5b4d1p0
0x1.69147332f0cbap0 0x1.6719f18224223p0 0x1.6524f99a51ed9p0 0x1.63356aa8f24c4p0 0x1.614b36b9ddc14p0
0x1.5f66452c65c4cp0 0x1.5d867b5912c4fp0 0x1.5babccb5b90dep0 0x1.59d61f2d91a78p0 0x1.5805612465687p0
0x1.56397cee76bd3p0 0x1.54725e2a77f93p0 0x1.52aff42064583p0 0x1.50f22dbb2bddfp0 0x1.4f38f4734ded7p0
0x1.4d843cfde284p0 0x1.4bd3ec078a3c8p0 0x1.4a27fc3e0258ap0 0x1.4880524d48434p0 0x1.46dce1b192d0bp0
0x1.453d9d3391854p0 0x1.43a2744b4845ap0 0x1.420b54115f8fbp0 0x1.40782da3ef4b1p0 0x1.3ee8f5d57fe8fp0
0x1.3d5d9a00b4ce9p0 0x1.3bd60c010c12bp0 0x1.3a5242b75dab8p0 0x1.38d22cd9fd002p0 0x1.3755bc5847a1cp0
0x1.35dce49ad36e2p0 0x1.34679984dd44p0 0x1.32f5cceffcb24p0 0x1.3187775a10d49p0 0x1.301c8373e399p0
0x1.2eb4ebb95f841p0 0x1.2d50a0219a9d1p0 0x1.2bef9a8b7fd2ap0 0x1.2a91c7a0c1babp0 0x1.293726014b53p0
0x1.27dfa5757a1f5p0 0x1.268b39b1d3bbfp0 0x1.2539d838ff5bdp0 0x1.23eb7aac9083bp0 0x1.22a012ba940b6p0
0x1.2157996cc4132p0 0x1.201201dd2fc9bp0 0x1.1ecf4494d480bp0 0x1.1d8f5528f6569p0 0x1.1c52311577e7cp0
0x1.1b17c74cb26e9p0 0x1.19e010c2c1ab6p0 0x1.18ab07bb670bdp0 0x1.1778a25efbcb6p0 0x1.1648d354c31dap0
0x1.151b990275fddp0 0x1.13f0ea432d24cp0 0x1.12c8b7210f9dap0 0x1.11a3028ecb531p0 0x1.107fbda8434afp0
0x1.0f5ee0f4e6bb3p0 0x1.0e4065d2a9fcep0 0x1.0d244632ca521p0 0x1.0c0a77ce2981ap0 0x1.0af2f83c636d1p0
0x1.09ddb98a01339p0 0x1.08cabaf52e7dfp0 0x1.07b9f2f4e28fbp0 0x1.06ab58c358f19p0 0x1.059eea5ecf92cp0
0x1.04949cdd12c9p0 0x1.038c6c6f0ada9p0 0x1.02865137932a9p0 0x1.0182427ea7348p0 0x1.008040614b195p0
0x1.fe01ff726fa1ap-1 0x1.fa11cc261ea74p-1 0x1.f6310b081992ep-1 0x1.f25f63ceeadcdp-1
0x1.ee9c8039113e7p-1 0x1.eae8078cbb1abp-1 0x1.e741aa29d0c9bp-1 0x1.e3a91830a99b5p-1
0x1.e01e009609a56p-1 0x1.dca01e577bb98p-1 0x1.d92f20b7c9103p-1 0x1.d5cac66fb5ccep-1
0x1.d272caa5ede9dp-1 0x1.cf26e3e6b2ccdp-1 0x1.cbe6da2a77902p-1 0x1.c8b266d37086dp-1
0x1.c5894bd5d5804p-1 0x1.c26b533bb9f8cp-1 0x1.bf583eeece73fp-1 0x1.bc4fd75db96c1p-1
0x1.b951e0c864a28p-1 0x1.b65e2c5ef3e2cp-1 0x1.b374867c9888bp-1 0x1.b094b211d304ap-1
0x1.adbe885f2ef7ep-1 0x1.aaf1d31603da2p-1 0x1.a82e63fd358a7p-1 0x1.a5740ef09738bp-1
0x1.a2c2a90ab4b27p-1 0x1.a01a01393f2d1p-1 0x1.9d79f24db3c1bp-1 0x1.9ae2505c7b19p-1
0x1.9852ef297ce2fp-1 0x1.95cbaeea44b75p-1 0x1.934c69de74838p-1 0x1.90d4f2f6752e6p-1
0x1.8e6528effd79dp-1 0x1.8bfce9fcc007cp-1 0x1.899c0dabec30ep-1 0x1.87427aa2317fbp-1
0x1.84f00acb39a08p-1 0x1.82a49e8653e55p-1 0x1.8060195f4026p-1 0x1.7e22563e0a329p-1
0x1.7beb377dcb5adp-1 0x1.79baa679725c2p-1 0x1.77907f2170657p-1 0x1.756cadbd6130cp-1
"""

# The same of `logf`: 1/c and log c.
SINGLE = """
0x1.661ec79f8f3bep0 -0x1.57bf7808caadep-2 0x1.571ed4aaf883dp0 -0x1.2bef0a7c06ddbp-2
0x1.49539f0f010bp0 -0x1.01eae7f513a67p-2 0x1.3c995b0b80385p0 -0x1.b31d8a68224e9p-3
0x1.30d190c8864a5p0 -0x1.6574f0ac07758p-3 0x1.25e227b0b8eap0 -0x1.1aa2bc79c81p-3
0x1.1bb4a4a1a343fp0 -0x1.a4e76ce8c0e5ep-4 0x1.12358f08ae5bap0 -0x1.1973c5a611cccp-4
0x1.0953f419900a7p0 -0x1.252f438e10c1ep-5 0x1p0 0x0p0 0x1.e608cfd9a47acp-1 0x1.aa5aa5df25984p-5
0x1.ca4b31f026aap-1 0x1.c5e53aa362eb4p-4 0x1.b2036576afce6p-1 0x1.526e57720db08p-3
0x1.9c2d163a1aa2dp-1 0x1.bc2860d22477p-3 0x1.886e6037841edp-1 0x1.1058bc8a07ee1p-2
0x1.767dcf5534862p-1 0x1.4043057b6ee09p-2
"""

# Coefficients, as their authors print them.
NEAR = """
-0x1p-1 0x1.5555555555577p-2 -0x1.ffffffffffdcbp-3 0x1.999999995dd0cp-3 -0x1.55555556745a7p-3
0x1.24924a344de3p-3 -0x1.fffffa4423d65p-4 0x1.c7184282ad6cap-4 -0x1.999eb43b068ffp-4
0x1.78182f7afd085p-4 -0x1.5521375d145cdp-4
"""
FAR = """
-0x1.0000000000001p-1 0x1.555555551305bp-2 -0x1.fffffffeb459p-3 0x1.999b324f10111p-3
-0x1.55575e506c89fp-3
"""
LOG1P = """
0 6.666666666666735130e-01 3.999999999940941908e-01 2.857142874366239149e-01
2.222219843214978396e-01 1.818357216161805012e-01 1.531383769920937332e-01
1.479819860511658591e-01
"""
SINE = """
0 -0x1.5555555555555p-3 0x1.1111111110ecep-7 -0x1.a01a019db08b8p-13 0x1.71de27b9a7ed9p-19
-0x1.addffc2fcdf59p-26
"""

SINES = 110  # k/128 up to the angle from which glibc takes a quarter turn's difference


def compute_logarithm(inverse: float) -> float:
    """log c of an inverse: 0x1.8p9 plus it is exact in float64."""
    scale = mp.mpf(2) ** 43
    return float(mp.nint(mp.log(1 / mp.mpf(inverse)) * scale) / scale)


def split(number: mp.mpf) -> tuple[float, float]:
    """A number as the sum of two float64."""
    high = float(number)
    return high, float(number - mp.mpf(high))


def make_tables() -> Tables:
    """Each table by its name: what it is, and its rows."""
    angles = [mp.mpf(k) / 128 for k in range(SINES)]
    inverses = read(INVERSES)
    single = read(SINGLE)
    return {
        "LOG_SINGLE": (
            "logf: 1/c and log c of each sixteenth of [0x1.66p-1, 0x1.66p0).",
            list(zip(single[::2], single[1::2], strict=True)),
        ),
        "LOG_DOUBLE": (
            "log: 1/c and log c of each 128th of [0x1.6p-1, 0x1.6p0).",
            [(inverse, compute_logarithm(inverse)) for inverse in inverses],
        ),
        "LOG_NEAR": ("log near 1: its coefficients, from r squared on.", as_row(NEAR)),
        "LOG_FAR": ("log elsewhere: the same.", as_row(FAR)),
        "LOG1P": ("log1p: Lp1 … Lp7 of Sun's, from 1 on.", as_row(LOG1P)),
        "SINE": ("sin of small angles: s1 … s5, from 1 on.", as_row(SINE)),
        "SINCOS": (
            "sin(k/128), what it lacks; cos(k/128), what it lacks.",
            [(*split(mp.sin(angle)), *split(mp.cos(angle))) for angle in angles],
        ),
    }


def read(text: str) -> list[float]:
    return [float.fromhex(w) if "0x" in w else float(w) for w in text.split()]


def as_row(text: str) -> list[tuple[float, ...]]:
    return [tuple(read(text))]


def write(number: float) -> str:
    """A number of C, in hexadecimal and short."""
    text = number.hex()
    head, exponent = text.split("p")
    return f"{head.rstrip('0').rstrip('.') if '.' in head else head}p{exponent.lstrip('+')}"


def fill_lines(items: list[str], indent: str, width: int = 100) -> list[str]:
    lines, line = [], indent
    for item in items:
        if len(line) + len(item) > width:
            lines.append(line.rstrip())
            line = indent
        line += item + " "
    return [*lines, line.rstrip()]


def write_python(tables: Tables) -> str:
    lines = [
        '"""Tables of glibc\'s logarithm, sine and cosine, written by tools/make_glibc_tables.py.',
        "",
        "Each number stands as `float.fromhex` reads it; rows are one after another.",
        '"""',
        "",
    ]
    for name, (what, rows) in tables.items():
        lines += [f"# {what}", f'{name} = """']
        lines += fill_lines([write(number) for row in rows for number in row], "")
        lines += ['"""', ""]
    return "\n".join(lines)


def write_c(tables: Tables) -> str:
    lines = [
        "/* Tables of glibc's logarithms, sine and cosine, by tools/make_glibc_tables.py. */",
        "#ifndef XAVINIT_KERNEL_MT_TABLES_H",
        "#define XAVINIT_KERNEL_MT_TABLES_H",
        "",
    ]
    for name, (what, rows) in tables.items():
        lines.append(f"/* {what.replace('…', '...')} */")
        if len(rows) == 1:
            items = [write(number) for number in rows[0]]
            lines.append(f"static const double XV_{name}[{len(items)}] = {{")
            lines += fill_lines([f"{item}," for item in items], "    ")
        else:
            lines.append(f"static const double XV_{name}[{len(rows)}][{len(rows[0])}] = {{")
            braced = ["{" + ", ".join(map(write, row)) + "}," for row in rows]
            lines += fill_lines(braced, "    ", 112)
        lines += ["};", ""]
    return "\n".join([*lines, "#endif", ""])


def main() -> None:
    tables = make_tables()
    (STREAMS / "glibc_tables.py").write_text(write_python(tables), encoding="utf-8")
    (STREAMS / "_kernel_mt_tables.h").write_text(write_c(tables), encoding="utf-8")


if __name__ == "__main__":
    main()
