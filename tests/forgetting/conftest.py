from tests.refitting.conftest import run, shop

__all__ = ["run", "shop"]
