"""Put another function's code into one that is in use: into it, and into what it has made before the fault came.

A function that makes functions has mostly been called when its module was read, and what was remembered of calls hides
a fault behind it. Knows nothing of how mutants are made.
"""

from __future__ import annotations

import gc
import sys
from functools import _lru_cache_wrapper
from types import CodeType, FunctionType


def exchange(target: FunctionType, faulty: FunctionType, sound: FunctionType) -> None:
    """Give `target` the code of `faulty`, and its defaults where they are not those of `sound`."""
    made = list(zip(_inside(target.__code__), _inside(faulty.__code__), strict=False))
    target.__code__ = faulty.__code__
    if faulty.__defaults__ != sound.__defaults__:
        target.__defaults__ = faulty.__defaults__
    if faulty.__kwdefaults__ != sound.__kwdefaults__:
        target.__kwdefaults__ = faulty.__kwdefaults__
    for was, now in made:
        for user in gc.get_referrers(was):
            if isinstance(user, FunctionType) and user.__code__ is was and was.co_freevars == now.co_freevars:
                user.__code__ = now


def forget_calls(package: str) -> None:
    """Empty what functions of a package remember of their calls (`functools.lru_cache`)."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == package:
            for one in vars(module).values():
                if isinstance(one, _lru_cache_wrapper):
                    one.cache_clear()


def _inside(code: CodeType) -> list[CodeType]:
    """The functions that stand in a function, in order; of comprehensions too."""
    return [one for one in code.co_consts if isinstance(one, CodeType)]
