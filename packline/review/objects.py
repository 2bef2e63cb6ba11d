"""Objects of a folder bucket, handed to whoever has a signed address (`FolderBucket.signed_url`)."""

from __future__ import annotations

import mimetypes
import time

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from packline.bucket import FolderBucket, open_bucket
from packline.bucket.signing import verify

router = APIRouter()

_TYPES = {".avif": "image/avif", ".webp": "image/webp", ".parquet": "application/vnd.apache.parquet"}


@router.get("/objects/{key:path}")
def hand_out(request: Request, key: str, expires: str = "", signature: str = "") -> Response:
    """An object; 403 where the address is not ours or too old, 404 where there is no such object."""
    desk = request.app.state.desk
    if not verify(key, expires, signature, desk.key):
        return _said("This address is not valid, or not any more.", 403)
    bucket = open_bucket(desk.settings.bucket)
    if not isinstance(bucket, FolderBucket) or not bucket.exists(key):
        return _said("There is no such object.", 404)
    file = bucket.address(key)
    ending = file[file.rfind(".") :]
    media = _TYPES.get(ending) or mimetypes.guess_type(file)[0] or "application/octet-stream"
    left = max(0, int(expires) - int(time.time()))
    headers = {
        "Cache-Control": f"private, max-age={left}",
        # the shop's own pages show it
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    return FileResponse(file, media_type=media, headers=headers)


def _said(words: str, status: int) -> Response:
    return Response(words, status, media_type="text/plain")
