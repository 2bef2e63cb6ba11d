"""presets.json edited in place: what is meant changes, and all else stays to the blank."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packline.editing.presets_file import edit_presets, with_fields, with_preset

HAND_WRITTEN = """{
    "comment" : [1, 2.50, {"loras": "no"}],
    "loras": [
        {"label": "one \\u00e9 }]", "air": "urn:air:sd1:lora:civitai:1@2", "prompt": "a, b"},

        {
            "label":   "two",
            "base_architecture": "sd15",
            "settings": { "strength": 0.80 },   "air": "x",
            "prompt": "été"
        }
    ]
}
"""


def test_new_fields_stand_behind_the_air_and_the_rest_stays_to_the_blank() -> None:
    made = with_fields(HAND_WRITTEN, "two", {"path": "t.safetensors", "sha256": "ab"})
    assert made == HAND_WRITTEN.replace(
        '"air": "x",', '"air": "x",   "path": "t.safetensors",   "sha256": "ab",'
    )
    made = with_fields(HAND_WRITTEN, "one é }]", {"path": "é.safetensors"})
    assert made == HAND_WRITTEN.replace('@2",', '@2", "path": "é.safetensors",')


def test_a_field_that_is_there_changes_in_its_place() -> None:
    made = with_fields(HAND_WRITTEN, "two", {"label": "tw\no"})
    assert made == HAND_WRITTEN.replace('"label":   "two"', '"label":   "tw\\no"')
    twice = '{"loras": [{"label": "a", "path": "1", "path": "2"}]}'
    assert with_fields(twice, "a", {"path": "3"}) == twice.replace('"2"', '"3"')


def test_a_new_preset_is_written_as_the_one_before_it() -> None:
    made = with_preset(HAND_WRITTEN, {"label": "three", "settings": {"strength": 1}})
    tail = """        },

        {
            "label": "three",
            "settings": {
                "strength": 1
            }
        }
    ]
}
"""
    assert made == HAND_WRITTEN[: HAND_WRITTEN.rindex("        }\n    ]")] + tail
    compact = '{"loras": [{"label": "a"}]}'
    assert with_preset(compact, {"label": "b"}) == '{"loras": [{"label": "a"}, {"label": "b"}]}'
    assert with_preset('{"loras": []}', {"label": "b"}) == (
        '{"loras": [\n    {\n      "label": "b"\n    }\n  ]}'
    )


def test_lines_end_as_they_did() -> None:
    windows = HAND_WRITTEN.replace("\n", "\r\n")
    made = with_preset(with_fields(windows, "two", {"path": "p"}), {"label": "three"})
    assert made.count("\n") == made.count("\r\n") == windows.count("\n") + 4


LABELS = st.lists(st.text(min_size=1), min_size=1, max_size=4, unique=True)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
WORDS = st.dictionaries(st.sampled_from(["path", "sha256", "notes", "air"]), st.text(), min_size=1)


@settings(max_examples=40, deadline=None)
@given(
    LABELS,
    st.lists(st.dictionaries(st.sampled_from(["air", "path", "theme", "x"]), VALUES), min_size=4, max_size=4),
    WORDS,
    st.sampled_from([None, 0, 2, "\t"]),
    st.booleans(),
    st.data(),
)
def test_an_edit_says_what_the_same_change_of_the_data_would(
    labels, others, fields, indent, ascii_only, data
) -> None:
    entries = [{**other, "label": label} for label, other in zip(labels, others, strict=False)]
    held = {"before": "loras", "loras": entries, "after": [{}]}
    text = json.dumps(held, indent=indent, ensure_ascii=ascii_only)
    label = data.draw(st.sampled_from(labels))
    made = with_preset(with_fields(text, label, fields), {"label": "new", **fields})
    next(entry for entry in entries if entry["label"] == label).update(fields)
    entries.append({"label": "new", **fields})
    assert json.loads(made) == held


def test_the_file_keeps_its_rights_its_link_and_its_bytes(tmp_path: Path) -> None:
    true, link = tmp_path / "true.json", tmp_path / "link.json"
    true.write_bytes(HAND_WRITTEN.replace("\n", "\r\n").encode())
    true.chmod(0o640)
    link.symlink_to(true)
    edit_presets(link, lambda text: with_fields(text, "two", {"path": "p"}))
    assert link.is_symlink()
    assert true.stat().st_mode & 0o777 == 0o640
    assert true.read_bytes().count(b"\r\n") == HAND_WRITTEN.count("\n")
    before = true.stat().st_ino
    edit_presets(link, lambda text: text)
    assert true.stat().st_ino == before
    with pytest.raises(ZeroDivisionError):
        edit_presets(true, lambda text: str(1 / 0))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["link.json", "true.json"]


def add_some(file: Path, name: str) -> None:
    for number in range(10):
        edit_presets(file, lambda text, number=number: with_preset(text, {"label": f"{name}{number}"}))


def test_processes_that_edit_at_once_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "presets.json"
    file.write_text('{"loras": []}')
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=add_some, args=(file, name)) for name in "abc"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    labels = {entry["label"] for entry in json.loads(file.read_text())["loras"]}
    assert labels == {f"{name}{number}" for name in "abc" for number in range(10)}
