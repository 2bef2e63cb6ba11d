"""Pictures of the ledger's candidates under signed, expiring names; thumbnails are made once.

Kinds: "picture" (as it would be published), "edit" (the engine's own), "base" (the scene's photo at the
picture's size), "reference" and "mask" (what the 3D model says the picture should show), "view:<name>" (a
further reference of the shot: "view:left", "view:label:side"), "heat:<check>:<number>" (the check's n-th heat
map, coloured, to be stretched over its evidence's box).
"""

from __future__ import annotations

import io
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import Response
from fastapi.responses import FileResponse
from itsdangerous import BadSignature, URLSafeSerializer

from packline.errors import PacklineError
from packline.fingerprint import digest
from packline.ledger.shot_pages import CandidatePlace

if TYPE_CHECKING:
    from packline.review.desk import Desk

THUMBNAIL = 320  # pixels on the longer side
# a name holds for one to two such spans, and is the same all through one, so that browsers keep pictures
_SPAN = 3600
_GONE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="320" height="320" viewBox="0 0 320 320">'
    '<rect width="320" height="320" fill="#808080"/><text x="160" y="165" text-anchor="middle" fill="#fff" '
    'font-family="sans-serif" font-size="18">no longer in the work folder</text></svg>'
)


class Images:
    """Pictures by signed name.

    Parameters
    ----------
    desk
        Whose ledger, key and folder they are.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._signer = URLSafeSerializer(desk.key, salt="image")

    def url(self, candidate: str, kind: str) -> str:
        """Address of a picture at its full size, for the next hour or two."""
        return self._url(candidate, kind, 0)

    def thumbnail_url(self, candidate: str, kind: str) -> str:
        """Address of a small version of a picture."""
        return self._url(candidate, kind, THUMBNAIL)

    def _url(self, candidate: str, kind: str, size: int) -> str:
        until = (int(time.time()) // _SPAN + 2) * _SPAN
        name = self._signer.dumps([candidate, kind, size, until])
        return f"/image/{name if isinstance(name, str) else name.decode()}"

    def answer(self, name: str) -> Response:
        """The picture of a signed name; 403 where the name is not ours or too old, 404 where it is gone."""
        try:
            candidate, kind, size, until = self._signer.loads(name)
        except BadSignature:
            return Response("This picture's address is not valid.", 403, media_type="text/plain")
        if time.time() > until:
            words = "This picture's address has expired; load the page again."
            return Response(words, 403, media_type="text/plain")
        headers = {"Cache-Control": f"private, max-age={_SPAN}, immutable"}
        try:
            place = self._desk.ledger.shot_pages.candidate_place(candidate)
            if place is None:
                raise FileNotFoundError(candidate)
            if kind.startswith("heat:"):
                return Response(self._heat(candidate, kind), media_type="image/png", headers=headers)
            file = self._file(place, kind)
            if size:
                file = self._thumbnail(file, candidate, kind, size)
            elif not file.is_file():
                raise FileNotFoundError(file)
        except (OSError, PacklineError, LookupError):
            return Response(_GONE, 404, media_type="image/svg+xml")
        media = "image/webp" if file.suffix == ".webp" else "image/png"
        return FileResponse(file, media_type=media, headers=headers)

    def _file(self, place: CandidatePlace, kind: str) -> Path:
        if kind == "picture":
            return place.picture
        if kind == "edit":
            return place.edit
        if kind == "base":
            return self._base(place)
        if kind == "reference":
            return place.truth / "colour.png"
        if kind == "mask":
            return place.truth / "mask.png"
        if kind.startswith("view:"):
            return place.views[kind.partition(":")[2]] / "colour.png"
        raise LookupError(kind)

    def _base(self, place: CandidatePlace) -> Path:
        """The scene's photo at the size of the shot's pictures, scaled as the line scales it."""
        import cv2

        from packline.scenes import load_scene

        settings = self._desk.settings_of(place.catalog)
        scene = load_scene(settings.paths.scenes / f"{place.scene}.json")
        size = settings.run.size
        file = self._desk.folder / "photos" / f"{digest(scene.sha256, size)}.png"
        if not file.is_file():
            _, data = cv2.imencode(".png", scene.photo_at(size)[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
            _write(file, data.tobytes())
        return file

    def _thumbnail(self, file: Path, candidate: str, kind: str, size: int) -> Path:
        from PIL import Image

        changed = file.stat()
        name = digest(candidate, kind, size, changed.st_mtime_ns, changed.st_size)
        small = self._desk.folder / "thumbnails" / name[:2] / f"{name}.webp"
        if not small.is_file():
            with Image.open(file) as opened:
                picture = opened.convert("RGB")
            picture.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=2)
            stream = io.BytesIO()
            picture.save(stream, "WEBP", quality=82)
            _write(small, stream.getvalue())
        return small

    def _heat(self, candidate: str, kind: str) -> bytes:
        import cv2

        from packline.report.heat import grey_map, tinted

        _, check, number = kind.split(":")
        grey = grey_map(self._desk.ledger.shot_pages.heat_map(candidate, check, int(number)))
        if grey is None:
            raise LookupError(kind)
        return cv2.imencode(".png", tinted(grey))[1].tobytes()


def _write(file: Path, data: bytes) -> None:
    # a file is there whole or not at all, and two who make the same one do not disturb each other
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}-{os.urandom(4).hex()}.part")
    part.write_bytes(data)
    part.replace(file)
