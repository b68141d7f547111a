"""Run the device-marked tests without pytest: each is a function without arguments."""

import time
from collections.abc import Iterator
from typing import Any

import test_device
import torch
from stand_ins import Missing

__all__ = ["rows"]


def rows(device: torch.device, *, small: bool) -> Iterator[dict[str, Any]]:
    """Yield a row for each test: passed, failed with the reason, or skipped with the library that is missing."""
    for name, test in vars(test_device).items():
        if not name.startswith("test_"):
            continue
        start = time.perf_counter()
        try:
            test()
            result = "passed"
        except (Missing, ModuleNotFoundError) as error:
            result = f"skipped: {getattr(error, 'name', None) or error} is not installed"
        except Exception as error:
            result = f"failed: {type(error).__name__}: {str(error)[:200]}"
        sentence = name.removeprefix("test_").replace("_", " ")
        yield {"check": sentence, "result": result, "seconds": round(time.perf_counter() - start, 1)}
