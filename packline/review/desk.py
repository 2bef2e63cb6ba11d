"""The desk: what all pages of the review share."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from packline.errors import FixSettings
from packline.ledger import Ledger
from packline.ledger.people import People
from packline.review.carry_out import CarryOut
from packline.review.static_files import StaticFiles
from packline.review.words import FILTERS
from packline.settings import ReviewSettings, Settings, load_settings

if TYPE_CHECKING:
    from packline.review.guard import Visitor
    from packline.review.images import Images


class Desk:
    """Ledger, settings, signatures, pictures and templates of a review desk.

    Parameters
    ----------
    settings
        Of the catalog that the desk was opened with; the ledger may hold further catalogs.
    ledger
        Another than the settings', for tests.
    """

    def __init__(self, settings: Settings, ledger: Ledger | None = None) -> None:
        self.settings = settings
        self._ledger = ledger
        self._seen: set[tuple[str, str]] = set()
        self._choices: dict[str, tuple[float, dict[str, list[tuple[str, int]]]]] = {}
        # the one-time way in while there are no users; empty once it was used
        self.invitation = ""

    def open(self) -> None:
        """Bring the queue up to date and take up decisions that nobody was asked to carry out."""
        self.ledger.queue.rebuild()
        self.carry_out.start()

    def close(self) -> None:
        """Hand over what was decided last."""
        self.carry_out.stop()

    @property
    def review(self) -> ReviewSettings:
        """``[review]``"""
        return self.settings.review

    @cached_property
    def ledger(self) -> Ledger:
        """The database."""
        return self._ledger or Ledger(self.settings.ledger.url)

    @property
    def people(self) -> People:
        """Users, sessions, audit log."""
        return self.ledger.people

    @property
    def secure(self) -> bool:
        """Whether browsers reach the desk with TLS."""
        return self.review.url.startswith("https://")

    @property
    def folder(self) -> Path:
        """Where thumbnails and the key of signatures are kept."""
        return self.settings.run.work / "review"

    @cached_property
    def key(self) -> bytes:
        """What signatures are made with: PACKLINE_REVIEW_KEY, or a file that the first start makes.

        Raises
        ------
        FixSettings
            Where the file cannot be made.
        """
        if given := os.environ.get("PACKLINE_REVIEW_KEY"):
            return given.encode()
        file = self.folder / "key"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            part = file.with_suffix(f".{os.getpid()}.part")
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
                stream.write(secrets.token_hex(32))
            try:
                # the first of several desks wins, and all take what is there then
                os.link(part, file)
            except FileExistsError:
                pass
            finally:
                part.unlink()
            return file.read_text().encode()
        except OSError as error:
            raise FixSettings(f"{self.folder} cannot be written ({error}); mend run.work.") from error

    def sign(self, purpose: str, text: str) -> str:
        """A keyed hash, 32 hexadecimal digits; another for each purpose."""
        return hmac.new(self.key, f"{purpose}\0{text}".encode(), hashlib.sha256).hexdigest()[:32]

    def settings_of(self, catalog: str) -> Settings:
        """The settings that a catalog of the ledger was last run with; the desk's own where they are gone."""
        if catalog == self.settings.run.name:
            return self.settings
        latest = self.ledger.latest_run(catalog)
        named = str(latest.parameters.get("settings", "")) if latest else ""
        try:
            return load_settings(Path(named)) if named else self.settings
        except FixSettings:
            return self.settings

    def choices(self, status: str) -> dict[str, list[tuple[str, int]]]:
        """What the filters may be set to; kept for a hundred times as long as it took to count."""
        until, found = self._choices.get(status, (0.0, {}))
        start = time.monotonic()
        if start >= until:
            found = self.ledger.queue.choices(status)
            now = time.monotonic()
            self._choices[status] = now + 100 * (now - start), found
        return found

    def seen_today(self, name: str, day: str) -> bool:
        """Whether this is the first time today that the proxy vouches for somebody."""
        new = (name, day) not in self._seen
        if new:
            self._seen = {one for one in self._seen if one[1] == day} | {(name, day)}
        return new

    @cached_property
    def images(self) -> Images:
        """Pictures by signed name."""
        from packline.review.images import Images

        return Images(self)

    @cached_property
    def carry_out(self) -> CarryOut:
        """Hands decisions to Prefect."""
        return CarryOut(lambda: self.ledger, self.review.prefect, self.review.settle_seconds)

    @cached_property
    def static(self) -> StaticFiles:
        """Styles and scripts."""
        return StaticFiles(Path(__file__).with_name("static"))

    @cached_property
    def templates(self) -> Environment:
        """Everything is escaped, and an absent name is an error."""
        environment = Environment(
            loader=PackageLoader("packline.review"),
            autoescape=True,
            undefined=StrictUndefined,
            # a desk shows the pages that belong to its code
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(FILTERS)
        helpers: dict[str, Callable[..., str]] = {
            "static": self.static.url,
            "image": self.images.url,
            "thumbnail": self.images.thumbnail_url,
        }
        environment.globals.update(helpers)
        return environment

    def page(
        self, request: Request, visitor: Visitor | None, template: str, status: int = 200, **context: Any
    ) -> HTMLResponse:
        """A page from its template.

        Parameters
        ----------
        visitor
            Who asks; None on the pages before signing in.
        context
            The template's names.
        """
        html = self.templates.get_template(template).render(
            visitor=visitor, here=request.url.path, sign_out=self.review.auth == "local", **context
        )
        return HTMLResponse(html, status)
