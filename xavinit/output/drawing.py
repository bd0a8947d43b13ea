"""A plan being drawn: its stream, which cuts and fills tensors, and the crew that does the work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from xavinit.crew import Advance, Buffer, Crew, parse_jobs
from xavinit.formats import Region
from xavinit.output.tasks import Task, join_pieces
from xavinit.plan import Plan
from xavinit.streams import Fill, Piece, make_stream


class Drawing:
    """The tensors of a plan in its order, their stream, and `jobs` workers or one.

    A stream that has an order is drawn by one worker, ahead of the writing, and only once: each
    output needs a new `Drawing`.
    """

    def __init__(self, plan: Plan, jobs: int | None = None) -> None:
        self.tensors = plan.tensors
        self.stream = make_stream(plan.stream, plan.seed, plan.sequence)
        jobs = parse_jobs(jobs)
        self.crew = Crew(self.stream.make_fill, 1 if self.stream.is_ordered else jobs)

    def split(self, regions: Iterable[Region], buffers: int) -> Iterator[Task]:
        """The tasks of a file's regions, in order; `buffers` of them are in memory at once."""
        return join_pieces(
            (piece, region.offset + piece.offset)
            for region in regions
            for piece in self.stream.split(region.tensor, buffers)
        )


def count_bytes(regions: Iterable[Region]) -> int:
    return sum(region.tensor.nbytes for region in regions)


def fill_arrays(arrays: Mapping[str, memoryview], drawing: Drawing, advance: Advance) -> None:
    """Fill buffers in memory: one for each tensor by name, of its size."""

    def draw(fill: Fill, _: Buffer, piece: Piece) -> None:
        fill(arrays[piece.tensor.name][piece.offset : piece.offset + piece.nbytes], *piece)

    crew = drawing.crew
    pieces = (
        piece
        for tensor in drawing.tensors
        for piece in drawing.stream.split(tensor, buffers=crew.jobs)
    )
    crew.run(pieces, sum(tensor.nbytes for tensor in drawing.tensors), draw, advance)
