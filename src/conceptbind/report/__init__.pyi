from .differences import difference_tables as difference_tables
from .elsewhere import write_elsewhere as write_elsewhere
from .finished import Run as Run
from .finished import load_run as load_run
from .shown import Shown as Shown
from .summary import summary_table as summary_table
from .tables import PaperTable as PaperTable
from .tables import paper_tables as paper_tables
