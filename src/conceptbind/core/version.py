"""The version, where all rooms and the build read it."""

__version__ = "0.1.0"
