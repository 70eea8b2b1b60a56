"""Save a chart of a run's page as a file, as the docs show it.

python recipes/figures.py runs/tiny-clevr2d                                        # names them
python recipes/figures.py runs/tiny-clevr2d complexity-text docs/complexity.svg
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

from conceptbind.core.errors import ConceptBindError
from conceptbind.core.files import read_checked_json, write_whole
from conceptbind.report.charts import Chart
from conceptbind.report.page import PAGE
from conceptbind.report.svg import WIDE, draw


def charts(value: object) -> Iterator[Chart]:
    """All charts of what a page shows."""
    if isinstance(value, Mapping):
        if set(value) == {"chart"}:
            yield Chart.from_json(value["chart"])
            return
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from charts(part)


def main(arguments: list[str] | None = None) -> None:
    """Save one chart, or name all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of a run")
    parser.add_argument("chart", nargs="?", help="its name in the page")
    parser.add_argument("out", nargs="?", type=Path, help="an .svg file")
    asked = parser.parse_args(arguments)
    try:
        page = read_checked_json(asked.run / PAGE)
        found = {chart.id: chart for chart in charts(page["parts"])}
    except (ConceptBindError, OSError, KeyError) as error:
        parser.error(
            f"no page in {asked.run} ({error}); make it with the command that stands beside the "
            "figure in the docs"
        )
    if asked.chart is None:
        print("\n".join(found))
    elif asked.chart not in found or asked.out is None or asked.out.suffix != ".svg":
        parser.error(
            f"expected a chart of {', '.join(found)}, and an .svg file behind it; got "
            f"{asked.chart!r}"
        )
    else:
        write_whole(asked.out, draw(found[asked.chart], WIDE, plain=True) + "\n")


if __name__ == "__main__":
    main()
