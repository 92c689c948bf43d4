"""The version of ravl, in this one place: the build, the CLI, the server and the docs read it."""

__version__ = "0.2.0.dev0"
