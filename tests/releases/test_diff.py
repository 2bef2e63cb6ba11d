"""What one release shows otherwise than another, and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from packline.errors import FixSettings, GiveUp
from packline.releases.diff import Kind, compare, find_side
from packline.releases.manifest import Writer, read_file
from packline.releases.records import File, Image

ENVIRONMENTS = ("dev", "staging", "prod")
SHOE = Image(
    shot="A/table/hero",
    sku="A",
    title="red shoe",
    scene="table",
    view="hero",
    candidate="c1",
    fingerprint="f1",
    files=(File("hero", "png", 9, 9, "k1", "a" * 64, 5), File("zoom", "avif", 9, 9, "k2", "b" * 64, 5)),
    engine={"name": "e", "architecture": "klein", "weights_sha256": "w" * 64},
    checks="checks-1",
    passed=True,
    score=0.8,
    decided="checks",
    parts={"the 3D model": "m1", "the title": "t1", "the LoRA": "l1"},
)


@pytest.mark.parametrize(
    ("after", "kind", "why"),
    [
        (SHOE, Kind.UNCHANGED, ""),
        (
            replace(SHOE, candidate="c2", fingerprint="f2", parts={**SHOE.parts, "the 3D model": "m2"}),
            Kind.CHANGED,
            "the 3D model changed",
        ),
        (
            replace(
                SHOE, fingerprint="f2", parts={"the 3D model": "m1", "the title": "t2", "the scene": "s"}
            ),
            Kind.CHANGED,
            "the title, the scene and the LoRA changed",
        ),
        (replace(SHOE, fingerprint="f2"), Kind.CHANGED, "made anew"),
        (replace(SHOE, candidate="c2"), Kind.CHANGED, "another candidate was chosen"),
        (
            replace(SHOE, candidate="c2", decided="ada"),
            Kind.CHANGED,
            "another candidate was chosen by ada",
        ),
        (replace(SHOE, files=SHOE.files[:1]), Kind.CHANGED, "files no longer: zoom (avif)"),
        (
            replace(SHOE, files=(replace(SHOE.files[0], key="k3"), SHOE.files[1])),
            Kind.CHANGED,
            "files made anew: hero (png)",
        ),
        (replace(SHOE, checks="checks-2", score=0.7), Kind.JUDGED, "scores 0.70, before 0.80"),
        (replace(SHOE, decided="ada", overridden=True), Kind.JUDGED, "decided by ada, before by checks"),
        (replace(SHOE, title="redder shoe"), Kind.CHANGED, "its words changed"),
    ],
)
def test_a_difference_says_why(after: Image, kind: Kind, why: str) -> None:
    (found,) = compare([SHOE], [after])
    assert (found.kind, found.why) == (kind, why)


def test_every_shot_of_either_release_comes_once_and_in_order() -> None:
    def named(*names: str) -> list[Image]:
        return [replace(SHOE, shot=name) for name in names]

    found = [(one.image.shot, str(one.kind)) for one in compare(named("a", "b", "d"), named("b", "c", "e"))]
    assert found == [
        ("a", "retired"),
        ("b", "unchanged"),
        ("c", "added"),
        ("d", "retired"),
        ("e", "added"),
    ]
    assert list(compare([], [])) == []


def test_a_manifest_says_the_same_as_json_and_as_parquet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("packline.releases.manifest._BATCH", 16)
    images = [replace(SHOE, shot=f"{number:05}") for number in range(50)]
    images[7] = replace(images[7], loras=({"label": "warm", "sha256": "l" * 64, "strength": 0.8},), parts={})
    writer = Writer(tmp_path, "acme", "demo")
    for image in images:
        writer.add(image)
    written = writer.close()
    assert (written.images, written.files, written.total) == (50, 100, 500)
    assert list(read_file(written.json)) == list(read_file(written.parquet)) == images
    with pytest.raises(ValueError, match="shot 00000 comes after 00049"):
        late = Writer(tmp_path, "acme", "demo")
        late.add(images[-1])
        late.add(images[0])


FIRST_FORMAT = b"""{
 "format": 1, "tenant": "acme", "catalog": "demo",
 "images": [
  {"shot": "B", "sku": "B", "title": "t", "scene": "s", "view": "v", "use": "hero", "key": "k/2.png",
   "sha256": "22", "bytes": 2, "candidate": "c2", "lineage": {"fingerprint": "f2", "passed": true}},
  {"shot": "A", "sku": "A", "title": "t", "scene": "s", "view": "v", "use": "hero", "key": "k/1.png",
   "sha256": "11", "bytes": 1, "candidate": "c1", "lineage": {"fingerprint": "f1", "passed": true, "seed": 7,
   "engine": {"name": "e", "steps": 4}, "loras": [{"label": "warm", "sha256": "l", "strength": 1}],
   "checks": "x", "decided": "checks", "parts": {"the title": "0123456789abcdef"}}}
 ]
}
"""


def test_a_manifest_of_an_older_packline_is_read(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_bytes(FIRST_FORMAT)
    first, second = read_file(tmp_path / "old.json")
    assert (first.shot, second.shot) == ("A", "B")
    assert first.files == (File("hero", "png", 0, 0, "k/1.png", "11", 1),)
    assert (first.seed, first.engine["name"], first.parts) == (7, "e", {"the title": "01234567"})


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.json", b"no json", "is no manifest of a release"),
        ("a.json", b'{"pictures": 3}', "is no manifest of a release"),
        ("a.json", b"[]", "is no manifest of a release"),
        ("a.json", b'{"format": 3, "images": [\n], "counts": {}}\n', "was written by a newer Packline"),
        ("a.json", b'{"format": 2, "images": [\n', "is cut short"),
        ("a.json", b'{"format": 2, "images": [\n{"shot": "A"', "is no manifest of a release"),
        ("a.parquet", b"PAR1", "is no manifest of a release"),
    ],
)
def test_what_is_no_manifest_gets_a_sentence(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(GiveUp, match=words):
        list(read_file(tmp_path / name))


def test_a_side_is_an_environment_a_release_or_a_file(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    shop = request.getfixturevalue("plain")
    shop.plan({"A": "red"})
    shop.publish("A")
    release = shop.released().release
    by_name = find_side(shop.site, "dev", ENVIRONMENTS, tmp_path)
    by_id = find_side(shop.site, release.id[:5], ENVIRONMENTS, tmp_path)
    by_file = find_side(shop.site, str(tmp_path / "bucket" / release.parquet), ENVIRONMENTS, tmp_path)
    nothing = find_side(shop.site, "prod", ENVIRONMENTS, tmp_path)
    assert [side.id for side in (by_name, by_id, by_file, nothing)] == [release.id, release.id, "", ""]
    assert list(by_name.images()) == list(by_id.images()) == list(by_file.images())
    assert list(nothing.images()) == []
    for name, words in (("none.json", "There is no manifest none.json"), ("xyz", "has no release xyz")):
        with pytest.raises(FixSettings, match=words):
            find_side(shop.site, name, ENVIRONMENTS, tmp_path)
