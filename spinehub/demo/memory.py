"""Give memory back that is free but kept: a server of large arrays would seem to grow with every visitor."""

import ctypes
import gc
import sys

__all__ = ["give_back"]


def give_back() -> None:
    """Hand freed memory to the system where the C library can; elsewhere only collect what nothing refers to.

    glibc keeps an arena per thread, and what analyses in many threads freed stays in them (malloc_trim(3)).
    """
    gc.collect()
    if not sys.platform.startswith("linux"):
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
    if trim is not None:
        trim(0)
