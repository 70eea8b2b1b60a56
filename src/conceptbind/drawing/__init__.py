"""Pictures of scenes: flat shapes (Pillow), solids (mitsuba), search fields."""

from conceptbind.drawing.flat import FlatStyle, draw_flat
from conceptbind.drawing.folder import draw_pictures
from conceptbind.drawing.layout import Layout, place
from conceptbind.drawing.search import SearchFields, draw_field, search_fields
from conceptbind.drawing.solid import SolidLayout, SolidStyle, draw_solid

__all__ = [
    "FlatStyle",
    "Layout",
    "SearchFields",
    "SolidLayout",
    "SolidStyle",
    "draw_field",
    "draw_flat",
    "draw_pictures",
    "draw_solid",
    "place",
    "search_fields",
]
