"""Before any test: what must happen once, and in this order, in the process of the tests."""

from __future__ import annotations

import contextlib

# triton and Mesa each bring an LLVM of their own: triton after Mesa crashes, Mesa after triton does not.
# On the line they never meet, because the stage renders in a process of its own; the tests do both in one.
with contextlib.suppress(ImportError):
    import triton  # type: ignore[import-untyped]  # noqa: F401

from tests.postgres import empty_url, ledger_url, postgres, postgres_url  # noqa: F401
