"""Check and measure lowparam on a GPU, with Python, torch and this checkout: `benchmarks/gpu.sh` starts it.

Each part is a process of its own, which prints a row of JSON at a time, so that one that fails or hangs leaves the
others their time. Rows are printed as they come, and the file of results is complete after each.
"""

import argparse
import json
import os
import platform
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
SHARES = {"checks": 0.25, "speed": 0.40, "processes": 0.35}
"""Of the time that is left when a part starts, relative to those that are still to come."""
TITLES = {
    "checks": "Checks on the device (tests/training/test_device.py)",
    "speed": "Images a second of one training, 100,000 parameters",
    "processes": "The grid of digits with several processes on one device",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks/gpu.sh", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/gpu.json", help="file of results")
    parser.add_argument("--seconds", type=float, default=460, help="after which what is left is left out")
    parser.add_argument("--only", nargs="+", choices=SHARES, default=list(SHARES), help="parts to run")
    parser.add_argument("--networks", nargs="+", help="architectures of `speed`; by default the core ones")
    parser.add_argument("--part", choices=SHARES, help=argparse.SUPPRESS)
    parser.add_argument("--worker", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    sys.path[:0] = [str(ROOT / "workflow"), str(ROOT / "tests/training")]
    if given.part or given.worker:
        return run_inside(given)
    return run_all(given)


def run_all(given: argparse.Namespace) -> int:
    """Run the parts one after the other; return 1 if a check failed or a part broke."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that `rows_of` ends what it started
    end, results = time.monotonic() + given.seconds, {"date": datetime.now().astimezone().isoformat(), "rows": []}
    for place, part in enumerate(given.only):
        share = SHARES[part] / sum(SHARES[later] for later in given.only[place:])
        print(f"\n{TITLES[part]}\n", flush=True)
        columns: list[str] = []
        for row in rows_of(part, given, seconds=share * (end - time.monotonic())):
            if "about" in row:
                about = row.pop("about")
                if "device" not in results:
                    print("; ".join(f"{key}: {value}" for key, value in about.items()), flush=True)
                results |= about
                continue
            if [*row] != columns:
                columns = [*row]
                print(line(columns), line("-" * max(len(key), 5) for key in columns), sep="\n")
            print(line(str(value).ljust(len(key)) for key, value in row.items()), flush=True)
            results["rows"].append({"part": part, **row})
            write(given.out, results)
    print(f"\nwritten: {given.out}")
    return int(any("failed" in str(value) for row in results["rows"] for value in row.values()))


def line(cells: Iterable[str]) -> str:
    """Return a line of a Markdown table."""
    return "| " + " | ".join(" ".join(cell.split("\n")).ljust(5) for cell in cells) + " |"


def rows_of(part: str, given: argparse.Namespace, seconds: float) -> Iterator[dict[str, Any]]:
    """Yield the rows of a part as they come, and one that says so if it did not come to its end."""
    options = ["--networks", *given.networks] if given.networks else []
    python = [sys.executable, *sys.orig_argv[1 : sys.orig_argv.index(sys.argv[0])]]
    command = [*python, str(FOLDER), "--part", part, *options]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}  # torch's remarks on what is not installed
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True, env=environment)
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    end = time.monotonic() + seconds
    try:
        while (line := lines.get(timeout=max(0.0, end - time.monotonic()))) is not None:
            if line.startswith("{"):
                yield json.loads(line)
        if process.wait():
            yield {"rest": f"failed: the process ended with {process.returncode}"}
    except queue.Empty:
        yield {"rest": f"left out: {seconds:.0f} s are over"}
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 9)  # its workers too: all have this process's session
            process.wait()


def run_inside(given: argparse.Namespace) -> int:
    """Run one part, or be one of its workers."""
    try:
        import torch
    except ModuleNotFoundError as error:
        print(json.dumps({"rest": f"failed: {error.name} is not installed, without which nothing runs"}))
        return 0
    import stand_ins

    stand_ins.install()
    if given.worker:
        import processes

        processes.work(given.worker)
        return 0
    gpu = torch.cuda.is_available()
    device = torch.device("cuda" if gpu else "cpu")
    if not gpu:
        torch.set_num_threads(1)
    if given.part == "checks":
        import checks as module
    elif given.part == "speed":
        import speed as module
    else:
        import processes as module
    about = {
        "device": torch.cuda.get_device_name() if gpu else "no GPU: everything small, on the CPU",
        "torch": torch.__version__,
        "Python": platform.python_version(),
        "cores": os.cpu_count(),
        "not installed": ", ".join(sorted(stand_ins.missing)) or "nothing that is needed here",
    }
    print(json.dumps({"about": about}), flush=True)
    options = {"names": given.networks} if given.part == "speed" else {}
    for row in module.rows(device, small=not gpu, **options):
        print(json.dumps(row), flush=True)
    return 0


def write(path: Path, results: dict[str, Any]) -> None:
    """Write the results, so that the file is never half written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)


if __name__ == "__main__":
    sys.exit(main())
