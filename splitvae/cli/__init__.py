"""The command line: one file for each command, with its options as the fields of a dataclass.

A command imports slow modules where it runs, so that --help and mistakes are answered at once.
"""

from .app import main

__all__ = ["main"]
