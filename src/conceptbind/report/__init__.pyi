from .differences import difference_tables as difference_tables
from .elsewhere import write_elsewhere as write_elsewhere
from .summary import summary_table as summary_table
from .tables import PaperTable as PaperTable
from .tables import paper_tables as paper_tables
