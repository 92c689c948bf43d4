"""``ravl forget``: rows leave a memory for good, and ravl says which copies it did not reach."""

from ravl.forgetting.forget import ForgetReport, audit, forget, learned_from

__all__ = ["ForgetReport", "audit", "forget", "learned_from"]
