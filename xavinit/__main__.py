"""`python -m xavinit`: the command line."""

from xavinit.cli import main

main()
