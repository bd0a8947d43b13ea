"""The crew: threads that carry out tasks, each of so many bytes, in any order or in one.

It knows no format, no disk and no numbers. The caller gives a function that makes what each thread
needs, and one that carries out a task.
"""

from xavinit.crew.crew import MOST_JOBS, Advance, Crew, Work, parse_jobs
from xavinit.crew.tasks import BLOCK, Buffer

__all__ = ["BLOCK", "MOST_JOBS", "Advance", "Buffer", "Crew", "Work", "parse_jobs"]
