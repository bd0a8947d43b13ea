"""What a plan's tensors are called in Keras's own file, for whoever reads one."""

from __future__ import annotations

from xavinit.plan import Plan


def name_keras_datasets(plan: Plan) -> tuple[str, ...] | None:
    """The path of each tensor of a plan in Keras's own file; None for what that cannot hold."""
    if plan.framework != "keras" or any(tensor.module is None for tensor in plan.tensors):
        return None
    from xavinit.formats.keras import name_datasets

    return tuple(tensor.name for tensor in name_datasets(plan)[0])
