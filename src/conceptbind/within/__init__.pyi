from .attributes import attribute_records as attribute_records
from .search import search_records as search_records
