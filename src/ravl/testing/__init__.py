"""Contract suites for authors of plug-ins: what ravl expects of an encoder, a reader, a generator.

Each module holds one class of tests. Subclass it in a test module of your package, and override
the fixture that makes the object under test; see ``docs/how-to/plugins.md``. The suites need
pytest, which ravl does not install: ``pip install pytest``.
"""

try:
    import pytest  # noqa: F401
except ImportError as error:
    raise ImportError(
        "ravl.testing needs pytest, which is not installed. Install it with: pip install pytest"
    ) from error
