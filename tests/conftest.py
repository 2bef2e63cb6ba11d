"""Before any test: what must happen once, and in this order, in the process of the tests."""

from __future__ import annotations

import contextlib

import pytest

# triton and Mesa each bring an LLVM of their own: triton after Mesa crashes, Mesa after triton does not.
# On the line they never meet, because the stage renders in a process of its own; the tests do both in one.
with contextlib.suppress(ImportError):
    import triton  # type: ignore[import-untyped]  # noqa: F401

from tests.postgres import empty_url, ledger_url, postgres, postgres_url  # noqa: F401

_TOGETHER = ("tests/crash/", "tests/flows/", "tests/releases/", "tests/report/", "tests/review/")
"""Folders whose tests share a server or a browser that takes long to start."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several processes run the tests (xdist), a file's or such a folder's stay with one of them."""
    for item in items:
        file = item.nodeid.partition("::")[0]
        home = next((folder for folder in _TOGETHER if file.startswith(folder)), file)
        item.add_marker(pytest.mark.xdist_group(home))
