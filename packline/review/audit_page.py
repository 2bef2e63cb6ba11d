"""The audit log, for administrators."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from packline.review.guard import Admin, Desk

router = APIRouter()
_PAGE = 100


@router.get("/audit")
def audit(
    request: Request, desk: Desk, visitor: Admin, before: int | None = None, name: str = ""
) -> Response:
    """Who did what, newest first."""
    entries = desk.people.entries(before, _PAGE + 1, name)
    return desk.page(
        request,
        visitor,
        "audit.html",
        entries=entries[:_PAGE],
        older=entries[_PAGE - 1].id if len(entries) > _PAGE else None,
        name=name,
        users=desk.people.users(),
    )
