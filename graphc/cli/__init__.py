"""The command line: `graphc train`, `graphc show`, `graphc source`, `graphc bench`."""

from graphc.cli.command import main

__all__ = ["main"]
