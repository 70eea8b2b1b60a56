"""Pictures of scenes: flat shapes (Pillow), solids (mitsuba), search fields."""

from conceptbind.render.flat import FlatStyle, draw_flat
from conceptbind.render.folder import draw_pictures
from conceptbind.render.layout import Layout, place

__all__ = ["FlatStyle", "Layout", "draw_flat", "draw_pictures", "place"]
