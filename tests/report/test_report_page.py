"""The written page: whole, small, safe, and calm about what is missing."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from packline.errors import FixSettings
from packline.records import RowError, RunRecord, ShotState
from packline.report import write_report
from packline.report.album import Album, Edges

Runs = Callable[..., RunRecord]
VOID = {"meta", "link", "img", "input", "br"}


class Page(HTMLParser):
    """Elements with their attributes, text by element, and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def written(run: RunRecord, shots: list[Any], desk: Any, *rest: Any) -> Page:
    return Page(write_report(run, shots, desk.scenes, desk.folder / "out/report.html", *rest).read_text())


def test_the_page_holds_every_picture_and_names_no_other_file(desk: Any, run_record: Runs) -> None:
    shot = desk.shot("TEA-01", faults=("", "turned", "blob"))
    page = written(run_record(), [shot], desk)
    sources = [image["src"] or "" for image in page.all("img")]
    # base, 4 references, 3 candidates with reference and raw edit, contact sheet, large base photo
    assert len(sources) == 1 + 4 + 3 * 3 + 1 + 1
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    outside = [
        value
        for _, attrs in page.elements
        for key, value in attrs.items()
        if key in ("src", "href") and value
    ]
    assert all(value.startswith(("data:", "#")) for value in outside)
    assert page.open == []


def test_every_candidate_shows_every_check_with_score_threshold_and_sentence(
    desk: Any, run_record: Runs
) -> None:
    shot = desk.shot("TEA-01", faults=("", "turned", "doubt"))
    page = written(run_record(), [shot], desk)
    bars = [svg["aria-label"] for svg in page.all("svg") if svg.get("role") == "img"]
    assert sorted(map(str, bars)) == sorted(
        f"score {result.score:.2f}, needs {result.threshold:.2f}"
        for record in shot.candidates
        for result in record.scorecard.results
    )
    for record in shot.candidates:
        assert str(record.candidate.recipe.seed) in page.text
        assert all(result.sentence in page.text for result in record.scorecard.results)


def test_failing_checks_come_first_on_a_scorecard(desk: Any, run_record: Runs) -> None:
    page = written(run_record(), [desk.shot("A", faults=("turned",), state=ShotState.FLAGGED)], desk)
    lines = [str(li["class"]) for li in page.all("li") if str(li.get("class")).startswith("check ")]
    assert lines == ["check fail", "check pass", "check pass", "check pass"]


def test_a_flag_is_said_in_words_and_row_errors_are_listed_once(
    desk: Any, run_record: Runs, row_error: RowError
) -> None:
    flagged = desk.shot(
        "SHOE", faults=("turned",), state=ShotState.FLAGGED, reason="text_orientation", sentence="Why!"
    )
    lost = replace(
        desk.shot("LAMP-01", faults=(), state=ShotState.FLAGGED, reason="row", sentence=row_error.sentence),
        key="LAMP-01/a/hero",
    )
    page = written(run_record(), [flagged, lost], desk, [row_error])
    assert page.text.count("Why!") == 2
    # in the table of rows and at its shot, but not in the table of flags as well
    assert page.text.count(row_error.sentence) == 2


def test_hostile_words_stay_words(desk: Any, run_record: Runs) -> None:
    bad = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    shot = desk.shot(
        bad, title=bad, text="A<b>&", faults=("turned",), state=ShotState.FLAGGED, reason=bad, sentence=bad
    )
    page = written(
        run_record(id=bad, catalog=bad, started=bad), [shot], desk, [RowError(1, bad, bad, bad, (bad,))]
    )
    assert len(page.all("script")) == 1
    assert not [key for _, attrs in page.elements for key in attrs if key.startswith("on")]
    assert len([image for image in page.all("img") if image.get("src") == "x"]) == 0
    assert page.text.count(bad) > 8


def test_pictures_that_are_gone_become_words(desk: Any, run_record: Runs) -> None:
    shot = desk.shot("A", faults=("", "blob"))
    shot.candidates[0].candidate.picture.unlink()
    shot.candidates[1].candidate.edit.write_bytes(b"no picture")
    shutil.rmtree(shot.references["scene"])
    desk.scenes["oak-table"].unlink()
    page = written(run_record(), [shot], desk)
    assert "c0.png is no longer on disk" in page.text
    assert "c1-edit.png cannot be read as a picture" in page.text
    assert "colour.png is no longer on disk" in page.text
    assert "oak-table.png is no longer on disk" in page.text
    page = Page(write_report(run_record(), [shot], {}, desk.folder / "r.html").read_text())
    assert "no picture was made" in page.text


def test_a_run_without_shots_still_has_a_page(desk: Any, run_record: Runs) -> None:
    page = written(run_record("failed", stations=()), [], desk)
    assert "The run failed before its end." in page.text
    assert page.all("form") == []


def test_headings_never_skip_a_level_and_every_picture_says_what_it_is(
    desk: Any, run_record: Runs, row_error: RowError
) -> None:
    shots = [desk.shot("A"), desk.shot("B", faults=("turned",), state=ShotState.FLAGGED)]
    page = written(run_record(), shots, desk, [row_error])
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(image["alt"] for image in page.all("img"))
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_the_same_run_gives_the_same_page(desk: Any, run_record: Runs) -> None:
    shots = [desk.shot("A")]
    files = [write_report(run_record(), shots, desk.scenes, desk.folder / name) for name in ("a", "b")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert sorted(path.name for path in desk.folder.glob("*report-*")) == []


def test_a_folder_that_cannot_be_written_is_said_in_a_sentence(desk: Any, run_record: Runs) -> None:
    (desk.folder / "file").write_text("")
    with pytest.raises(FixSettings, match=r"report .*file/report\.html cannot be written"):
        write_report(run_record(), [], {}, desk.folder / "file" / "report.html")


def test_a_picture_is_embedded_at_its_edge_with_full_colour_resolution(tmp_path: Path) -> None:
    pixels = np.zeros((300, 600, 3), np.uint8)
    # one-pixel stripes of two colours of equal luma: 4:2:0 would average them away
    pixels[:, ::2], pixels[:, 1::2] = (0, 0, 255), (0, 130, 0)
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    whole = Album().embed(tmp_path / "a.png", 600)
    data = base64.b64decode(str(whole.uri).split(",")[1])
    back = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert back is not None
    contrast = back[:, ::2, 2].astype(float).mean() - back[:, 1::2, 2].astype(float).mean()
    assert contrast > 200
    small = Album().embed(tmp_path / "a.png", 200)
    assert (small.width, small.height, small.full) == (200, 100, (600, 300))


def test_a_report_of_more_candidates_embeds_smaller_pictures() -> None:
    counts = (96, 400, 5000)
    sizes = [Edges.for_candidates(count).candidate for count in counts]
    assert sizes == sorted(sizes, reverse=True)
    # half a byte a pixel is more than any of these pictures takes
    assert all(count * size**2 * 0.5 < 130e6 for count, size in zip(counts, sizes, strict=True))


@pytest.mark.parametrize("scheme", [0, 1])
def test_text_stands_out_from_every_surface_in_light_and_dark(scheme: int) -> None:
    css = (Path(write_report.__code__.co_filename).parent / "page" / "report.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[scheme]))

    def luminance(name: str) -> float:
        value = colours[name]
        channels = np.array([int(value[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    pairs = [(text, on) for text in ("ink", "soft", "good", "bad") for on in ("desk", "sheet", "card")]
    pairs += [("warn", "card"), ("bad", "bad-wash"), ("ink", "bad-wash"), ("soft", "well")]
    for text, on in pairs:
        light, dark = sorted((luminance(text), luminance(on)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, on)
