"""The page of a run, once more."""

from dataclasses import dataclass
from pathlib import Path

from conceptbind.commands.command import Command


@dataclass(frozen=True)
class Report(Command[Path]):
    """Draw the page of a finished run again, with the templates and styles of this version.

    Nothing is computed: the page is made of what the run keeps.
    """

    folder: str
    """Run folder, such as runs/tiny-clevr2d."""

    def work(self) -> Path:
        """Draw the page, and return its file."""
        from conceptbind.core.errors import FileError
        from conceptbind.core.files import user_path
        from conceptbind.core.ownership import own
        from conceptbind.report.page import PAGE, redraw

        folder = user_path(self.folder)
        if not (folder / PAGE).is_file():
            raise FileError(
                f"{folder} holds no {PAGE}, of which its page would be made; give a run folder of "
                "measure, repair, evaluate, train or sweep, or run the command again"
            )
        own(folder)
        return redraw(folder)
