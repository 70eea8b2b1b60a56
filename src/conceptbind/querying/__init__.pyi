from .first import first_of as first_of
from .language import QueryPart as QueryPart
from .language import parse_query as parse_query
from .ways import WAYS as WAYS
from .ways import Asked as Asked
from .ways import Scored as Scored
from .ways import cosines_with as cosines_with
