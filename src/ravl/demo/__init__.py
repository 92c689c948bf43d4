"""The demo: the main job on real pictures, in one command."""

from ravl.demo.run import run

__all__ = ["run"]
