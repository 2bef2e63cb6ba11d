"""Downloads from a real local server: whole under its name and with the right hash, or not at all."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from copy import copy
from pathlib import Path

import pytest
from pydantic import SecretStr

from packline.editing.download import Wanted, download
from packline.editing.web import Patience, Web
from packline.errors import FixSettings, GiveUp, TryAgain
from tests.editing.civitai_site import Site, cut_after, lora, open_site

DATA = lora(weight=300_000)


class Watch:
    def __init__(self) -> None:
        self.waited = threading.Event()
        self.seen: list[tuple[int, int | None]] = []

    def waits(self) -> None:
        self.waited.set()

    def advanced(self, done: int, total: int | None) -> None:
        self.seen.append((done, total))


@pytest.fixture
def site() -> Iterator[Site]:
    with open_site() as site:
        yield site


@pytest.fixture
def naps() -> list[float]:
    return []


class Shop:
    """One file of the site and where it is to lie."""

    def __init__(self, site: Site, folder: Path, naps: list[float]) -> None:
        self.site, self.naps, self.watch = site, naps, Watch()
        self.sha256 = site.add(1, DATA)
        self.target = folder / "loras" / "noir.safetensors"

    def pull(self, key: str = "", tries: int = 5, stall: float = 30, **others) -> bool:
        patience = Patience(tries=tries, stall=stall, sleep=self.naps.append)
        secret = SecretStr(key) if key else None
        wanted = Wanted("LoRA 'noir'", f"{self.site.base}/api/download/models/1", self.sha256)
        with Web("CivitAI", self.site.base, secret, "CIVITAI_API_KEY", patience) as web:
            return download(web, wanted, self.target, self.watch, **others)

    def left(self) -> list[str]:
        return sorted(file.name for file in self.target.parent.iterdir())

    @property
    def partial(self) -> Path:
        return self.target.parent / f".noir.safetensors.{self.sha256[:16]}.part"

    def starts(self) -> list[str]:
        return [one.headers.get("range", "") for one in self.site.fetches()]


@pytest.fixture
def shop(site: Site, tmp_path: Path, naps: list[float]) -> Shop:
    made = Shop(site, tmp_path, naps)
    made.target.parent.mkdir()
    return made


def test_a_file_comes_whole_and_a_second_call_asks_nobody(shop: Shop) -> None:
    assert shop.pull() is True
    assert (shop.target.read_bytes(), shop.left()) == (DATA, ["noir.safetensors"])
    assert shop.watch.seen[0] == (0, len(DATA))
    assert shop.watch.seen[-1] == (len(DATA), len(DATA))
    asked = len(shop.site.asked)
    assert shop.pull() is False
    assert len(shop.site.asked) == asked


def test_a_file_with_another_hash_is_replaced(shop: Shop) -> None:
    shop.target.write_bytes(b"old")
    assert shop.pull() is True
    assert shop.target.read_bytes() == DATA


def test_after_a_break_the_next_call_goes_on_where_the_bytes_end(shop: Shop) -> None:
    shop.site.store = cut_after(100_000)
    with pytest.raises(TryAgain, match=r"^LoRA 'noir': the connection to CivitAI broke .*try again"):
        shop.pull(tries=0)
    assert not shop.target.exists()
    assert shop.partial.read_bytes() == DATA[:100_000]
    assert shop.pull(tries=0) is True
    assert shop.target.read_bytes() == DATA
    assert shop.starts() == ["", "bytes=100000-"]
    assert shop.site.fetches()[1].headers["if-range"] == '"first"'
    assert shop.left() == ["noir.safetensors"]


def test_one_call_goes_on_by_itself_after_breaks(shop: Shop) -> None:
    shop.site.store = cut_after(100_000, times=2)
    assert shop.pull() is True
    assert shop.target.read_bytes() == DATA
    assert shop.starts() == ["", "bytes=100000-", "bytes=200000-"]
    assert len(shop.naps) == 2


def test_a_file_that_changed_between_two_calls_is_fetched_anew(shop: Shop) -> None:
    shop.site.files[1] = lora(salt=1, weight=300_000)
    shop.site.store = cut_after(100_000)
    with pytest.raises(TryAgain):
        shop.pull(tries=0)
    shop.site.files[1], shop.site.tag = DATA, '"second"'
    assert shop.pull(tries=0) is True
    assert shop.target.read_bytes() == DATA
    assert shop.starts() == ["", "bytes=100000-"]  # answered with 200 and everything


@pytest.mark.parametrize("tag", ['W/"weak"', ""])
def test_without_a_strong_tag_the_hash_notices_that_the_file_changed(shop: Shop, tag: str) -> None:
    shop.site.tag = tag
    shop.site.files[1] = lora(salt=1, weight=300_000)
    shop.site.store = cut_after(100_000)
    with pytest.raises(TryAgain):
        shop.pull(tries=0)
    shop.site.files[1] = DATA
    assert shop.pull(tries=0) is True
    assert shop.target.read_bytes() == DATA
    assert shop.starts() == ["", "bytes=100000-", ""]
    assert "if-range" not in shop.site.fetches()[1].headers


def test_a_server_that_knows_no_ranges_sends_all_again(shop: Shop) -> None:
    shop.site.ranges = False
    shop.site.store = cut_after(100_000)
    assert shop.pull() is True
    assert shop.target.read_bytes() == DATA
    assert len(shop.site.fetches()) == 2


def test_a_server_that_answers_another_range_is_not_believed(shop: Shop) -> None:
    shop.site.store = cut_after(100_000)
    with pytest.raises(TryAgain):
        shop.pull(tries=0)

    def from_elsewhere(handler, data):
        if not handler.headers.get("Range"):
            return False
        handler.answer(206, data[50_000:], Content_Range=f"bytes 50000-{len(data) - 1}/{len(data)}")
        return True

    shop.site.store = from_elsewhere
    assert shop.pull(tries=0) is True
    assert shop.target.read_bytes() == DATA


def test_a_partial_file_longer_than_the_whole_is_thrown_away(shop: Shop) -> None:
    shop.partial.write_bytes(b"x" * (len(DATA) + 5))
    assert shop.pull(tries=0) is True
    assert (shop.target.read_bytes(), shop.left()) == (DATA, ["noir.safetensors"])


def test_a_partial_file_that_was_complete_only_gets_its_name(shop: Shop) -> None:
    shop.partial.write_bytes(DATA)
    assert shop.pull(tries=0) is True
    assert (shop.target.read_bytes(), shop.site.asked) == (DATA, [])


def test_a_wrong_hash_keeps_nothing(shop: Shop) -> None:
    shop.site.files[1] = wrong = lora(salt=2, weight=300_000)
    shop.target.write_bytes(b"what was there")
    found = hashlib.sha256(wrong).hexdigest()
    with pytest.raises(GiveUp, match=rf"SHA-256 {found}, not {shop.sha256}; nothing of it was kept"):
        shop.pull()
    assert shop.left() == ["noir.safetensors"]
    assert shop.target.read_bytes() == b"what was there"
    assert len(shop.site.fetches()) == 1


def test_a_file_that_is_not_accepted_never_gets_its_name(shop: Shop) -> None:
    def accept(file: Path) -> None:
        assert file.read_bytes() == DATA
        raise GiveUp("no")

    with pytest.raises(GiveUp, match="no"):
        shop.pull(accept=accept)
    assert shop.left() == []


def test_only_safetensors_are_downloaded(shop: Shop) -> None:
    shop.target = shop.target.with_suffix(".ckpt")
    with pytest.raises(GiveUp, match=r"noir\.ckpt is no \.safetensors file"):
        shop.pull()
    assert shop.site.asked == []


def test_a_page_for_browsers_is_no_file_and_names_the_key(shop: Shop) -> None:
    page = b"<!DOCTYPE html><html><title>Log in</title></html>"
    for kind in ("text/html; charset=utf-8", "application/octet-stream"):
        shop.site.store = lambda handler, data, kind=kind: (
            handler.answer(200, page, Content_Type=kind) is None
        )
        with pytest.raises(FixSettings, match="accounts only; set CIVITAI_API_KEY"):
            shop.pull()
        with pytest.raises(GiveUp, match="sent a page for browsers in place of the file"):
            shop.pull(key="k")
        assert shop.left() == []


def test_what_does_not_begin_like_safetensors_is_given_up_at_once(shop: Shop) -> None:
    shop.site.store = lambda handler, data: handler.answer(200, b"\x80\x02}q\x00X" + b"\0" * 1000) is None
    with pytest.raises(GiveUp, match="what comes is no safetensors file"):
        shop.pull()
    assert shop.left() == []


def test_a_file_larger_than_allowed_is_refused_by_its_promise_and_by_its_bytes(shop: Shop) -> None:
    with pytest.raises(GiveUp, match=r"larger than 0\.2 MB, which no LoRA is"):
        shop.pull(most=200_000)
    assert shop.left() == []

    def endless(handler, data):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        part = b"%x\r\n%s\r\n" % (10_000, data[:10_000])
        try:
            while True:
                handler.wfile.write(part)
        except OSError:
            handler.close_connection = True
        return True

    shop.site.store = endless
    with pytest.raises(GiveUp, match=r"larger than 0\.2 MB"):
        shop.pull(most=200_000)
    assert shop.left() == []


def test_a_length_that_lies_is_noticed(shop: Shop) -> None:
    def longer(handler, data):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data) + 1000))
        handler.end_headers()
        handler.wfile.write(data)
        handler.close_connection = True
        return True

    shop.site.store = longer
    assert shop.pull() is True  # the hash says that nothing is missing
    assert len(shop.site.fetches()) == 1
    shop.target.unlink()

    def shorter(handler, data):
        handler.answer(200, data, Content_Length="1000")
        handler.close_connection = True
        return True

    shop.site.store = shorter
    with pytest.raises(GiveUp, match=r"what came \(1000 bytes\) has SHA-256"):
        shop.pull()
    assert shop.left() == []


@pytest.mark.parametrize("drip", [b"", b"x"])
def test_a_stalled_or_dripping_connection_is_given_up(shop: Shop, drip: bytes) -> None:
    over = threading.Event()

    def stalled(handler, data):
        handler.send_response(200)
        handler.send_header("ETag", '"first"')
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:5000])
        while not over.wait(0.05):
            handler.wfile.write(drip)
        handler.close_connection = True
        return True

    shop.site.store = stalled
    with pytest.raises(TryAgain, match=r"fell silent|hardly a byte comes"):
        shop.pull(tries=0, stall=0.3)
    over.set()
    shop.site.store = None
    kept = shop.partial.stat().st_size
    assert kept >= 5000
    if not drip:
        assert shop.pull(tries=0) is True
        assert shop.starts()[-1] == f"bytes={kept}-"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_service_that_cannot_answer_is_asked_five_times_more(
    shop: Shop, naps: list[float], status: int
) -> None:
    shop.site.api = lambda handler: handler.answer(status) is None
    with pytest.raises(TryAgain, match="CivitAI cannot answer just now"):
        shop.pull()
    assert len(shop.site.asked) == 6
    assert [2**n / 2 <= nap <= 2**n for n, nap in enumerate(naps)] == [True] * 5


def test_the_wait_that_a_service_asks_for_is_kept_up_to_a_limit(shop: Shop, naps: list[float]) -> None:
    answers = [
        {"Retry_After": "7"},
        {"Retry_After": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"Retry_After": "soon"},
    ]

    def busy(handler):
        if answers:
            handler.answer(429, **answers.pop(0))
            return True
        return False

    shop.site.api = busy
    assert shop.pull() is True
    assert naps[0] == 7
    assert len(naps) == 3
    shop.target.unlink()
    shop.site.api = lambda handler: handler.answer(503, Retry_After="3600") is None
    asked = len(shop.site.asked)
    with pytest.raises(TryAgain) as told:
        shop.pull()
    assert told.value.retry_after == 3600
    assert (len(shop.site.asked), len(naps)) == (asked + 1, 3)


def test_waits_grow_to_32_seconds_and_no_further(naps: list[float]) -> None:
    def fails() -> None:
        raise TryAgain("no")

    with pytest.raises(TryAgain):
        Patience(tries=12, sleep=naps.append).insist(fails)
    assert max(naps) <= 32
    assert min(naps[6:]) >= 16


@pytest.mark.parametrize(
    ("status", "key", "error", "sentence"),
    [
        (401, "", FixSettings, "gives it to accounts only; set CIVITAI_API_KEY"),
        (401, "k", FixSettings, "refuses the key in CIVITAI_API_KEY"),
        (403, "", FixSettings, "set CIVITAI_API_KEY"),
        (403, "k", GiveUp, "does not let the account of CIVITAI_API_KEY have it"),
        (404, "", GiveUp, r"knows nothing of that number \(status 404\); correct its air"),
        (410, "", GiveUp, "no longer has it"),
        (418, "", GiveUp, r"CivitAI refuses it \(status 418\)"),
    ],
)
def test_a_refusal_is_a_sentence_and_not_repeated(
    shop: Shop, status: int, key: str, error: type[Exception], sentence: str
) -> None:
    shop.site.api = lambda handler: handler.answer(status) is None
    with pytest.raises(error, match=f"^LoRA 'noir': CivitAI.*{sentence}|^LoRA 'noir': {sentence}"):
        shop.pull(key=key)
    assert len(shop.site.asked) == 1
    assert shop.left() == []


def test_a_signed_address_that_ran_out_is_signed_anew(shop: Shop) -> None:
    refusals = [403, 403]

    def expired(handler, data):
        if refusals:
            handler.answer(refusals.pop())
            return True
        return False

    shop.site.store = expired
    assert shop.pull() is True
    assert [one.host for one in shop.site.asked] == ["api", "store"] * 3


def test_redirects_end_and_lead_nowhere_but_to_http(shop: Shop) -> None:
    shop.site.api = lambda handler: handler.answer(302, Location=handler.path) is None
    with pytest.raises(GiveUp, match="from address to address"):
        shop.pull()
    assert len(shop.site.asked) == 6
    shop.site.api = lambda handler: handler.answer(302, Location="ftp://127.0.0.1/x") is None
    with pytest.raises(GiveUp, match="not http"):
        shop.pull()
    shop.site.api = lambda handler: handler.answer(302, Location="file:///etc/passwd") is None
    with pytest.raises(GiveUp, match="LoRA 'noir'"):
        shop.pull()
    assert shop.left() == []


def test_the_key_goes_to_the_service_alone_and_into_no_log_or_address(
    shop: Shop, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    key = "K3Y-" + "z" * 28
    caplog.set_level("DEBUG")
    shop.site.key = key
    shop.site.store = cut_after(100_000)
    assert shop.pull(key=key) is True
    at_home = [one for one in shop.site.asked if one.host == "api"]
    assert [one.headers.get("authorization") for one in at_home] == [f"Bearer {key}"] * 2
    assert len(shop.site.fetches()) == 2
    for one in shop.site.fetches():
        assert key not in str(one.headers)
    assert all(key not in one.path + one.query for one in shop.site.asked)
    shop.target.unlink()
    shop.site.api = lambda handler: handler.answer(401) is None
    with pytest.raises(FixSettings) as told:
        shop.pull(key=key)
    said = caplog.text + str(told.value) + repr(told.value) + "".join(capfd.readouterr())
    assert "HTTP Request: GET" in caplog.text  # there is a log that it could be in
    assert key not in said


def test_the_signature_of_an_address_is_not_in_the_usual_log(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert shop.pull() is True
    assert f"GET {shop.site.store_base}/1 " in caplog.text
    assert "Signature" not in caplog.text


def test_a_full_disk_is_a_sentence_before_and_during_the_download(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        free = 1000

    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda folder: Full)
        with pytest.raises(FixSettings, match=r"has room for 0\.0 MB and 0\.3 MB are still to come"):
            shop.pull()
    # the system itself refuses to let the file grow
    code = (
        "import resource, sys; from pathlib import Path;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000));"
        "from packline.editing.download import Wanted, download;"
        "from packline.editing.web import Web; from tests.editing.test_download import Watch;"
        "web = Web('CivitAI', sys.argv[1], None, 'CIVITAI_API_KEY');"
        "wanted = Wanted('LoRA', sys.argv[1] + '/api/download/models/1', sys.argv[2]);"
        "download(web, wanted, Path(sys.argv[3]), Watch())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, shop.site.base, shop.sha256, str(shop.target)],
        capture_output=True,
        text=True,
    )
    assert "FixSettings: LoRA: the disk of" in told.stderr
    assert shop.left() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_may_not_be_written_to_is_a_sentence(shop: Shop) -> None:
    shop.target.parent.chmod(0o500)
    with pytest.raises(FixSettings, match="cannot be written to"):
        shop.pull()


def test_a_folder_that_is_a_file_is_a_sentence(shop: Shop) -> None:
    shop.target.parent.rmdir()
    shop.target.parent.write_text("")
    with pytest.raises(FixSettings, match="cannot be written to"):
        shop.pull()


@pytest.mark.parametrize(
    ("base", "key", "sentence"),
    [
        ("http://mirror.example", "k", "not sent over plain http to mirror.example"),
        ("ftp://mirror.example", "", "must read https://host"),
        ("https://u:p@mirror.example", "", "must read https://host"),
        ("https://mirror.example?token=1", "", "must read https://host"),
        ("mirror", "", "must read https://host"),
        ("https://mirror.example", "two words", "CIVITAI_API_KEY holds blanks"),
        ("https://mirror.example", "kéy", "CIVITAI_API_KEY holds blanks"),
    ],
)
def test_an_address_or_key_that_cannot_be_is_refused_without_quoting_the_key(
    base: str, key: str, sentence: str
) -> None:
    with pytest.raises(FixSettings, match=sentence) as told:
        Web("CivitAI", base, SecretStr(key) if key else None, "CIVITAI_API_KEY")
    assert not key or len(key) == 1 or key not in str(told.value)


# a process that downloads version 1 of the site; what it waits for, it prints
PROCESS = """
import sys
from pathlib import Path
from packline.editing.download import Wanted, download
from packline.editing.web import Web

class Watch:
    def waits(self):
        print("waits", flush=True)
    def advanced(self, done, total):
        pass

base, sha256, target = sys.argv[1:]
wanted = Wanted("LoRA", base + "/api/download/models/1", sha256)
print(download(Web("CivitAI", base, None, "CIVITAI_API_KEY"), wanted, Path(target), Watch()), flush=True)
"""


def start(shop: Shop) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", PROCESS, shop.site.base, shop.sha256, str(shop.target)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


class Gate:
    """A store that sends half, and the rest when the gate opens."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, handler, data) -> bool:
        handler.send_response(200)
        handler.send_header("ETag", '"first"')
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:150_000])
        self.reached.set()
        self.opened.wait(60)
        try:
            handler.wfile.write(data[150_000:])
        except OSError:
            handler.close_connection = True
        return True


def test_two_processes_at_once_download_once(shop: Shop) -> None:
    shop.site.store = gate = Gate()
    first = start(shop)
    assert gate.reached.wait(60)
    second = start(shop)
    assert second.stdout is not None
    assert second.stdout.readline() == "waits\n"
    gate.opened.set()
    assert (first.communicate()[0], second.communicate()[0]) == ("True\n", "False\n")
    assert len(shop.site.fetches()) == 1
    assert (shop.target.read_bytes(), shop.left()) == (DATA, ["noir.safetensors"])


def test_who_waited_for_one_that_got_the_wrong_bytes_downloads_them_itself(shop: Shop) -> None:
    """What it waited for is gone from the folder by then: it must not write there."""
    gate, one = Gate(), copy(shop)
    shop.watch = Watch()
    shop.site.store = lambda handler, data: gate(handler, data[:-1] + b"?")
    outcome: list[object] = []

    def first() -> None:
        with pytest.raises(GiveUp) as told:
            one.pull()
        outcome.append(told.value)

    threads = [threading.Thread(target=first), threading.Thread(target=lambda: outcome.append(shop.pull()))]
    threads[0].start()
    assert gate.reached.wait(60)
    threads[1].start()
    assert shop.watch.waited.wait(60)
    shop.site.store = None
    gate.opened.set()
    for thread in threads:
        thread.join()
    assert sorted(str(each)[:10] for each in outcome) == ["LoRA 'noir", "True"]
    assert len(shop.site.fetches()) == 2
    assert (shop.target.read_bytes(), shop.left()) == (DATA, ["noir.safetensors"])


def test_after_kill_9_nothing_has_the_name_and_the_next_call_goes_on(shop: Shop) -> None:
    shop.site.store = gate = Gate()
    process = start(shop)
    assert gate.reached.wait(60)
    while not (shop.partial.exists() and shop.partial.stat().st_size == 150_000):
        assert process.poll() is None
        time.sleep(0.01)
    # one that waits for the lock gets it from the dead
    waiting = start(shop)
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == "waits\n"
    shop.site.store = None
    process.kill()
    process.communicate()
    assert waiting.communicate()[0] == "True\n"
    gate.opened.set()
    assert shop.starts() == ["", "bytes=150000-"]
    assert (shop.target.read_bytes(), shop.left()) == (DATA, ["noir.safetensors"])
