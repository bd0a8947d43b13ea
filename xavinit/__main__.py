"""`python -m xavinit`, and where the installed command begins."""

import os  # nothing else: an interrupt while a module loads shows a traceback until `run` runs


def run() -> None:
    """The command line, silent on an interrupt also while its modules are still being loaded.

    An interrupt before it runs still shows a traceback: in Python's own start (some ten
    milliseconds), in `runpy` or in what pip writes as the installed command, which loads `re` and
    then this module (some five).
    """
    try:
        import gc
        import signal

        # A run makes no garbage in cycles to speak of; to look for it takes a fortieth of a small
        # one, all of it while modules load.
        gc.disable()
        # An exception would not do: what is raised while a module loads may be caught or shown
        # by whoever called for it. Nothing is there yet to clean up. `main` puts an end to it.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, lambda *_: os._exit(130))
        from xavinit.process import main

        main()
    except KeyboardInterrupt:
        os._exit(130)
    except (MemoryError, SystemError):  # while modules load; Python raises either
        os.write(2, b"xavinit: not enough memory\n")
        os._exit(4)


if __name__ == "__main__":
    run()
