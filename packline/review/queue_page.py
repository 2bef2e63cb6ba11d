"""The queue: what waits for a person, failures first."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from packline.review.guard import Desk, Viewer

router = APIRouter()


@router.get("/")
def queue(request: Request, desk: Desk, visitor: Viewer) -> Response:
    """The list."""
    return desk.page(request, visitor, "queue.html")
