"""A user's program: `make lint` checks it by mypy and pyright, both strict, as a user would."""

from __future__ import annotations

from pathlib import Path

import xavinit


def show_law(tensor: xavinit.TensorPlan) -> str:
    match tensor.law:
        case xavinit.Uniform(bound):
            return f"±{bound}"
        case xavinit.Normal(std) | xavinit.TruncatedNormal(std):
            return f"std {std}"
        case xavinit.Constant(value):
            return str(value)
        case None:
            return "empty"
        case other:
            return str(other)


def main(folder: Path) -> None:
    spec = {"seed": 42, "tensors": {"hidden.weight": [128, 784]}}
    plan = xavinit.make_plan(spec, dims={})
    tensor = plan["hidden.weight"]
    fans: xavinit.Fans | None = tensor.fans
    dtype: xavinit.DType = tensor.dtype
    print(plan, show_law(tensor), fans, dtype.name, plan.nbytes)
    weights = xavinit.draw(plan)
    print(weights["hidden.weight"].mean())
    print(xavinit.draw(plan, "hidden.weight").mean())
    print(xavinit.draw(plan, "hidden.weight", (slice(0, 64), ...), jobs=1).shape)
    part = xavinit.generate(plan, folder / "w", max_shard_size="1GB", part=(1, 2)).part
    print(part.is_complete if part else None)
    report: xavinit.Report = xavinit.generate(spec, folder / "w.safetensors", force=True)
    print(report.path, report.nbytes, xavinit.digest(report.path), xavinit.digest(weights))
    kernel = xavinit.glorot_uniform((784, 128), seed=42, name="hidden", layout="in_out")
    print(kernel.shape, xavinit.he_normal((2, 3), dtype="float64").dtype)
    try:
        xavinit.make_plan({"tensors": {"w": [-1]}})
    except xavinit.SpecError as error:
        print(error, error.hint, error.path)


if __name__ == "__main__":
    main(Path())
