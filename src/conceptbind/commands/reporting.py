"""The page of a run, once more."""

from dataclasses import dataclass
from pathlib import Path

from conceptbind.commands.command import Command


@dataclass(frozen=True)
class Report(Command[Path]):
    """Draw the page of a finished run again, with the templates and styles of this version.

    Nothing is computed: the page is made of what the run keeps. A run of an earlier version keeps
    only its records; its page has their tables, without pictures and curves.
    """

    folder: str
    """Run folder, such as runs/tiny-clevr2d."""

    def work(self) -> Path:
        """Draw the page, and return its file."""
        from conceptbind.core.files import user_path
        from conceptbind.core.ownership import own
        from conceptbind.core.results import RESULTS, load_results
        from conceptbind.report.earlier import draw_from_records
        from conceptbind.report.page import PAGE, redraw

        folder = user_path(self.folder)
        kept = (folder / PAGE).is_file()
        if (folder / RESULTS).is_file():
            load_results(folder)  # a page must not say what results do not
        if kept or (folder / RESULTS).is_file():
            own(folder)
        return redraw(folder) if kept else draw_from_records(folder)
