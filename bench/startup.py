"""How long `import conceptbind` and `conceptbind --help` take: whole processes, the median of
several.

python bench/startup.py
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path


def seconds(command: list[str], runs: int = 7) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    executable = shutil.which("conceptbind", path=str(Path(sys.executable).parent)) or "conceptbind"
    bare = seconds([sys.executable, "-c", "pass"])
    print(f"python -c pass           {bare:.3f} s")
    print(f"import conceptbind       {seconds([sys.executable, '-c', 'import conceptbind']):.3f} s")
    print(f"conceptbind --help       {seconds([executable, '--help']):.3f} s")
    print(f"conceptbind measure -h   {seconds([executable, 'measure', '--help']):.3f} s")


if __name__ == "__main__":
    main()
