"""Calls to a web service that asks for a key and sends one on to other hosts for the bytes.

The key goes into a header, to the service's own address only: not into a query string, where every log on the
way would keep it, and not along with a redirect to another host.
"""

from __future__ import annotations

import contextlib
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TypeVar

import httpx
from pydantic import SecretStr

from packline.errors import FixSettings, GiveUp, PacklineError, TryAgain

logger = logging.getLogger(__name__)

MOST_REDIRECTS = 5
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

T = TypeVar("T")


class _NoQueries(logging.Filter):
    """Takes the query out of the addresses that httpx logs: a signed one is a key to its file."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                argument.copy_with(query=None) if isinstance(argument, httpx.URL) else argument
                for argument in record.args
            )
        return True


logging.getLogger("httpx").addFilter(_NoQueries())


@dataclass(frozen=True)
class Patience:
    """How long to wait for a service, and how often to ask again.

    Parameters
    ----------
    tries
        Repeats of a call that may succeed later.
    first, longest
        Seconds of the first wait, which doubles each time with jitter, and the most that is waited.
    connect, stall
        Seconds for a connection to be made, and without a byte, after which it is given up.
    slowest
        Bytes in ``stall`` seconds under which a connection counts as stalled.
    """

    tries: int = 5
    first: float = 1.0
    longest: float = 32.0
    connect: float = 10.0
    stall: float = 30.0
    slowest: int = 4096
    sleep: Callable[[float], None] = time.sleep

    def insist(self, call: Callable[[], T]) -> T:
        """Call, and again after each passing fault.

        A service that asks for more than ``longest`` seconds is not waited for: calling earlier would be
        rude, and a person at a terminal would rather know.
        """
        for past in range(self.tries):
            try:
                return call()
            except TryAgain as error:
                wait = min(self.longest, self.first * 2**past) * random.uniform(0.5, 1)
                if error.retry_after is not None:
                    if error.retry_after > self.longest:
                        raise
                    wait = max(wait, error.retry_after)
                logger.info("%s Asking again in %.1f s (%d of %d).", error, wait, past + 1, self.tries)
                self.sleep(wait)
        return call()


PATIENCE = Patience()


class Web:
    """A web service under one base address.

    Parameters
    ----------
    name
        What people call it, for sentences.
    base
        Its address; the key is sent nowhere else.
    key
        What it knows one by; None: nothing.
    key_name
        The environment variable that holds the key, for sentences.
    """

    def __init__(
        self, name: str, base: str, key: SecretStr | None, key_name: str, patience: Patience = PATIENCE
    ) -> None:
        self.name = name
        self.key_name = key_name
        self.patience = patience
        self._base = _checked_base(name, base, key is not None)
        self._key = _checked_key(key, key_name)
        self._client = httpx.Client(
            timeout=httpx.Timeout(patience.stall, connect=patience.connect),
            headers={"User-Agent": "packline", "Accept-Encoding": "identity"},
            follow_redirects=False,
        )

    def __enter__(self) -> Web:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    @property
    def has_key(self) -> bool:
        """Whether the service was given a key."""
        return self._key is not None

    @contextlib.contextmanager
    def get(
        self, address: str, what: str, headers: Mapping[str, str] | None = None, also: tuple[int, ...] = ()
    ) -> Iterator[httpx.Response]:
        """Ask once, and follow redirects; the body is not read yet.

        Parameters
        ----------
        address
            Absolute, or a path under the base address.
        what
            What is asked for, for sentences.
        also
            Error statuses that the caller wants to see.

        Raises
        ------
        TryAgain, GiveUp, FixSettings
            The connection broke (also while the body is read), or the answer is a refusal.
        """
        # a relative path is appended, so that a base address may have a path of its own
        url = _parsed(address if "://" in address else f"{self._base}/{address}", what)
        with contextlib.ExitStack() as stack, self._sentences(what):
            for _ in range(MOST_REDIRECTS + 1):
                answer = stack.enter_context(self._one(url, headers or {}))
                onward = answer.headers.get("Location", "")
                if not answer.has_redirect_location:
                    break
                stack.close()
                url = _onward(url, onward, what)
            else:
                raise GiveUp(f"{what}: {self.name} sends one from address to address; try again later.")
            if not answer.is_success and answer.status_code not in also:
                raise self._refusal(answer, what, at_home=_origin(url) == _origin(self._base))
            yield answer

    @contextlib.contextmanager
    def _one(self, url: httpx.URL, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        sent = dict(headers)
        if self._key is not None and _origin(url) == _origin(self._base):
            sent["Authorization"] = f"Bearer {self._key.get_secret_value()}"
        with self._client.stream("GET", url, headers=sent) as answer:
            yield answer

    @contextlib.contextmanager
    def _sentences(self, what: str) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException as error:
            raise TryAgain(f"{what}: {self.name} fell silent; try again later.") from error
        except httpx.UnsupportedProtocol as error:
            raise GiveUp(f"{what}: {self.name} sends one to an address that is not http.") from error
        except httpx.TransportError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise FixSettings(
                    f"{what}: the certificate of {self.name} is not trusted here; set SSL_CERT_FILE to your "
                    f"network's own authority."
                ) from error
            raise TryAgain(f"{what}: the connection to {self.name} broke ({error}); try again.") from error
        except httpx.HTTPError as error:
            raise GiveUp(f"{what}: {self.name} answers what cannot be read ({error}).") from error

    def _refusal(self, answer: httpx.Response, what: str, *, at_home: bool) -> PacklineError:
        status = answer.status_code
        if status in (408, 429) or status >= 500:
            said = "too many calls" if status == 429 else f"status {status}"
            return TryAgain(
                f"{what}: {self.name} cannot answer just now ({said}); try again later.",
                _seconds(answer.headers.get("Retry-After", "")),
            )
        if not at_home:
            # the address that the service signed has run out; asked again, it signs another
            return TryAgain(f"{what}: the store of {self.name} refuses it (status {status}); try again.")
        if status == 401:
            return self.wants_key(what)
        if status == 403:
            return (
                GiveUp(
                    f"{what}: {self.name} does not let the account of {self.key_name} have it (early access, "
                    f"or taken off generation and download); open its page there."
                )
                if self.has_key
                else self.wants_key(what)
            )
        if status in (404, 410):
            gone = "no longer has it" if status == 410 else "knows nothing of that number"
            return GiveUp(f"{what}: {self.name} {gone} (status {status}); correct its air.")
        return GiveUp(f"{what}: {self.name} refuses it (status {status}).")

    def wants_key(self, what: str) -> FixSettings:
        """The sentence for an answer that means: say who you are."""
        return FixSettings(
            f"{what}: {self.name} refuses the key in {self.key_name}; make a new one in your account there."
            if self.has_key
            else f"{what}: {self.name} gives it to accounts only; set {self.key_name} to a key of yours."
        )


def _checked_base(name: str, base: str, with_key: bool) -> httpx.URL:
    base = base.strip().rstrip("/")
    try:
        url = httpx.URL(base)
    except httpx.InvalidURL as error:
        raise FixSettings(f"The address of {name} is malformed ({error}); correct it.") from error
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query:
        raise FixSettings(
            f"The address of {name} must read https://host, without a user or a query; correct it."
        )
    if with_key and url.scheme == "http" and url.host not in _LOOPBACK:
        raise FixSettings(f"The key for {name} is not sent over plain http to {url.host}; use https.")
    return url


def _checked_key(key: SecretStr | None, key_name: str) -> SecretStr | None:
    # an HTTP library would quote a wrong header in its error, key and all
    if key is not None and not all("!" <= letter <= "~" for letter in key.get_secret_value()):
        raise FixSettings(f"{key_name} holds blanks or letters that no key has; set it again.")
    return key


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _parsed(address: str, what: str) -> httpx.URL:
    try:
        return httpx.URL(address)
    except httpx.InvalidURL as error:
        raise GiveUp(f"{what}: its address is malformed ({error}).") from error


def _onward(url: httpx.URL, location: str, what: str) -> httpx.URL:
    try:
        onward = url.join(location)
    except httpx.InvalidURL as error:
        raise GiveUp(f"{what}: a redirect goes to a malformed address.") from error
    if url.scheme == "https" and onward.scheme != "https":
        raise GiveUp(f"{what}: a redirect leaves https for {onward.host}; it is not followed.")
    return onward


def _seconds(retry_after: str) -> float | None:
    """``Retry-After`` as seconds from now; it may also be a date."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, until.timestamp() - time.time())
