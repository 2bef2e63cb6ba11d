"""three.js in a headless browser as a second, independent reader and renderer of models."""

from __future__ import annotations

import base64
import json
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from packline.camera import Camera

VERSION = "0.187.0"
PAGE = Path(__file__).parent / "three"
#: Where npm puts three.js; kept from run to run.
SCRATCH = Path(tempfile.gettempdir()) / f"packline-three-{VERSION}"
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",
    # WebGL 2 on the CPU: no machine's graphics card has a say in the result
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Unavailable(Exception):
    """three.js or Chromium is not to be had here; the sentence says which."""


@dataclass(frozen=True)
class Drawn:
    """One view as three.js sees it; float32 maps of shape (size, size, ...), rows from the top.

    Parameters
    ----------
    albedo
        Linear RGB, blended where see-through.
    alpha
        How much of what is behind is hidden, 0 to 1.
    normals
        World normals of the nearest surface, mean over the covered samples.
    depth
        Metres along the camera's axis, of the nearest surface; 0 where nothing is.
    """

    albedo: NDArray[np.float32]
    alpha: NDArray[np.float32]
    normals: NDArray[np.float32]
    depth: NDArray[np.float32]


def install() -> Path:
    """The folder of three.js, brought by npm on the first call.

    Raises
    ------
    Unavailable
        Where npm cannot bring it.
    """
    folder = SCRATCH / "node_modules" / "three"
    if not (folder / "package.json").is_file():
        SCRATCH.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(SCRATCH), f"three@{VERSION}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"npm cannot bring three.js ({error}).") from error
        if done.returncode:
            raise Unavailable(f"npm cannot bring three.js ({done.stderr.strip().splitlines()[-1:]}).")
    return folder


class Browser:
    """A page that holds one model at a time; made by `browser`."""

    def __init__(self, page: Any, folders: dict[str, Path], errors: list[str]) -> None:
        self._page = page
        self._folders = folders
        self._errors = errors

    def load(self, path: Path, front: float = 0.0, height: float | None = None) -> dict[str, Any]:
        """Read a model and stand it on the ground, front to +Z.

        Parameters
        ----------
        front
            Azimuth of its front in its own space, degrees.
        height
            Scale it to so many metres; None: its own size.

        Returns
        -------
        dict
            `size` in its own units before scaling and turned, and `triangles`.

        Raises
        ------
        ValueError
            Where three.js refuses it, in its words.
        """
        from playwright.sync_api import Error

        path = path.resolve()
        self._folders["model"] = path.parent
        self._errors.clear()
        job = {"url": f"/model/{quote(path.name)}", "front": front, "height": height}
        try:
            return dict(self._page.evaluate("job => window.load(job)", job))
        except Error as error:
            told = str(error).splitlines()[0].removeprefix("Page.evaluate: ")
            raise ValueError("; ".join([told, *self._errors[:2]])) from error

    def serve(self, name: str, folder: Path) -> None:
        """Serve a folder's files below ``/name/``."""
        self._folders[name] = folder

    def call(self, name: str, job: dict[str, Any] | None = None) -> Any:
        """Call one of the page's functions and give what it returns."""
        return self._page.evaluate(f"job => window.{name}(job)", job)

    def draw(self, camera: Camera, samples: int) -> Drawn:
        """Draw the loaded model.

        Parameters
        ----------
        camera
            Square.
        samples
            On each side of a pixel, on a regular grid.
        """
        job = {
            "eye": camera.eye,
            "target": camera.target,
            "up": [float(x) for x in camera.pose[:3, 1]],
            "fov": camera.fov_y,
            "size": camera.width,
            "samples": samples,
        }
        text = self._page.evaluate("job => window.draw(job)", job)
        maps = np.frombuffer(base64.b64decode(text), np.float32).reshape(camera.height, camera.width, 8)
        return Drawn(maps[..., :3], maps[..., 3], maps[..., 4:7], maps[..., 7])


@contextmanager
def browser(page_name: str = "index.html") -> Iterator[Browser]:
    """Start Chromium and a server on localhost for the page, three.js and the models.

    Raises
    ------
    Unavailable
        Where three.js or Chromium is missing.
    """
    from playwright.sync_api import sync_playwright

    if not CHROMIUM.is_file():
        raise Unavailable(f"{CHROMIUM} is missing: apt-get install chromium.")
    folders = {"page": PAGE, "three": install()}
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, folders))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    errors: list[str] = []
    try:
        with sync_playwright() as playwright:
            program = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
            page = program.new_page()
            page.set_default_timeout(120_000)
            page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(f"http://127.0.0.1:{server.server_port}/page/{page_name}")
            page.wait_for_function("window.ready")
            yield Browser(page, folders, errors)
            program.close()
    finally:
        server.shutdown()


class _Files(SimpleHTTPRequestHandler):
    """Serves the files of a few folders, each under its own name."""

    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".js": "text/javascript"}  # noqa: RUF012

    def __init__(self, folders: dict[str, Path], *args: Any) -> None:
        self._folders = folders
        super().__init__(*args)

    def translate_path(self, path: str) -> str:
        name, _, rest = unquote(urlsplit(path).path).lstrip("/").partition("/")
        folder = self._folders.get(name)
        if folder is None:
            return "/nonexistent"
        file = (folder / rest).resolve()
        return str(file) if file.is_relative_to(folder.resolve()) else "/nonexistent"

    def end_headers(self) -> None:
        # the next model may have files of the same names
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing; a missing file is told by three.js."""


def front_of(path: Path) -> float:
    """The front azimuth that a model's sidecar declares, read here anew; 0 without one."""
    sidecar = path.with_name(f"{path.stem}.truth.json")
    return float(json.loads(sidecar.read_text()).get("front", 0)) if sidecar.is_file() else 0.0
