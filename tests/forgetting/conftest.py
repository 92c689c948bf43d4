from tests.refitting.conftest import shop

__all__ = ["shop"]
