"""The crew: threads that carry out tasks, each of so many bytes, in any order or in one.

It knows no format, no disk and no numbers. What a thread needs for its work it makes with a
function given; what is done with a task is a function too.
"""

from xavinit.crew.crew import MOST_JOBS, Advance, Crew, Work, parse_jobs
from xavinit.crew.tasks import BLOCK, Buffer

__all__ = ["BLOCK", "MOST_JOBS", "Advance", "Buffer", "Crew", "Work", "parse_jobs"]
