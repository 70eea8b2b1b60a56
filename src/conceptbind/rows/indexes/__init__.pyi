from .contract import Index as Index
from .contract import RowPart as RowPart
from .contract import Rows as Rows
from .contract import TextPart as TextPart
from .contract import Texts as Texts
from .registry import open_container as open_container
