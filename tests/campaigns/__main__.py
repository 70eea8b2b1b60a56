"""`python -m tests.campaigns --kills 1000 --inputs 5000 --seed 0`: the table of
docs/reliability.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # no threads may run where a campaign forks
os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1]))

COLUMNS = {
    "tracebacks": ("traceback", "crash", "exit"),
    "no clear message": ("message", "no message"),
    "half files": ("half file",),
    "strays": ("stray", "missing", "changed"),
    "wrong numbers": ("wrong numbers", "accepted"),
    "no re-run": ("no re-run", "both refused", "both accepted"),
    "hangs": ("hang",),
    "over 2 GiB": ("memory",),
    "orphans": ("orphan",),
}


def everything_imported(*, models: bool = True) -> None:
    """All modules, so that a child has nothing left to import; models: those that read model
    folders and tell words apart too.
    """
    import importlib
    import pkgutil

    import torch

    torch.set_num_threads(1)
    import conceptbind

    extra = (
        "joblib",
        "cyclopts",
        "matplotlib.figure",
        "scipy.stats",
        "sklearn.manifold",
        "yaml",
        "PIL.Image",
        "http.cookiejar",
        "webbrowser",
        "encodings.ascii",
        "encodings.latin_1",
        "encodings.utf_16",
        "encodings.idna",
        "encodings.cp437",
        "unicodedata",
    )
    for module in pkgutil.walk_packages(conceptbind.__path__, "conceptbind."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in extra:
        importlib.import_module(name)
    of_models = (
        "sentence_transformers",
        "transformers.models.bert.modeling_bert",
        "transformers.models.clip.modeling_clip",
        "HanTa",
    )
    for name in of_models if models else ():
        # of extras: their commands are refused in one line where they are not there
        with suppress(ImportError):
            importlib.import_module(name)


def main() -> int:
    """Run the campaigns and print the table; 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns", description=__doc__)
    parser.add_argument(
        "--kills", type=int, default=40, help="kills, double starts, full and failing disks"
    )
    parser.add_argument(
        "--inputs", type=int, default=200, help="damaged files, options and surroundings"
    )
    parser.add_argument("--known", action="store_true", help="also the inputs that once failed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--cheap", action="store_true", help="only commands that take less than a second"
    )
    parser.add_argument("--findings", type=Path, help="a file for what is wrong, as it is found")
    asked = parser.parse_args()
    everything_imported(models=not asked.cheap)
    from campaigns.fuzz import Tally, fuzz
    from campaigns.inputs import make_world
    from campaigns.kills import NAMES, kills
    from campaigns.known import known

    with tempfile.TemporaryDirectory(prefix="campaign") as top:
        os.chmod(top, 0o755)
        scratch = Path(top) / "scratch"
        scratch.mkdir()
        os.environ["CAMPAIGN_SCRATCH"] = top
        world = scratch / "world"
        world.mkdir()
        began = time.monotonic()
        make_world(world, cheap=asked.cheap and not asked.known)
        tallies: dict[str, Tally] = {}
        report = _Progress(asked.findings)
        names = (
            {name: often for name, often in NAMES.items() if often >= 2} if asked.cheap else NAMES
        )
        if asked.known:
            tallies["inputs that once failed"] = known(world)
        if asked.kills:
            tallies["kills, double starts, disks"] = kills(
                world, asked.kills, asked.seed, report, names
            )
        if asked.inputs:
            tallies["damaged inputs"] = fuzz(
                world, asked.inputs, asked.seed, report, cheap=asked.cheap
            )
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    print(table(tallies))
    for name, tally in tallies.items():
        print(
            f"\n{name}: "
            + ", ".join(f"{count} {kind}" for kind, count in sorted(tally.kinds.items()))
        )
        for fault, what, said in tally.faults:
            print(f"- {fault}: {what}\n  {' | '.join(said.strip().splitlines()[-3:])[-400:]}")
    print(f"\n{time.monotonic() - began:.0f} s")
    return int(any(tally.faults for tally in tallies.values()))


class _Progress:
    """A line now and then, and what is wrong as it is found."""

    def __init__(self, findings: Path | None) -> None:
        self.done, self.written, self.shown, self.findings = 0, 0, time.monotonic(), findings

    def __call__(self, tally: Any) -> None:
        self.done += 1
        self.written = min(self.written, len(tally.faults))
        if self.findings:
            with self.findings.open("a", errors="backslashreplace") as file:
                for fault, what, said in tally.faults[self.written :]:
                    file.write(f"## {fault}: {what}\n{said}\n\n")
        self.written = len(tally.faults)
        if time.monotonic() - self.shown > 20:
            self.shown = time.monotonic()
            print(
                f"{self.done} trials, {len(tally.faults)} of this campaign wrong",
                file=sys.stderr,
                flush=True,
            )


def table(tallies: dict[str, Any]) -> str:
    """Counts as Markdown."""
    lines = [
        "| campaign | trials | " + " | ".join(COLUMNS) + " |",
        "|---" * (2 + len(COLUMNS)) + "|",
    ]
    for name, tally in tallies.items():
        counts = " | ".join(str(tally.count(*faults)) for faults in COLUMNS.values())
        lines.append(f"| {name} | {tally.trials:,} | {counts} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
