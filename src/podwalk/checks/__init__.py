"""Everything that a checker may import: ``from podwalk.checks import Lab``."""

from podwalk.checks.lab import Lab

__all__ = ["Lab"]
