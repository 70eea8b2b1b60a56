"""Write the kept records again, all or those of the runs named.

Only where numbers are meant to change, in the folder `tests`:
`OMP_NUM_THREADS=1 python -m reference.write RUN`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from reference.kept import write
from reference.runs import RUNS

if __name__ == "__main__":
    names = sys.argv[1:] or list(RUNS)
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            found = RUNS[name].found(Path(folder))
        print(write(name, found.records, found.sentences), len(found.records))
