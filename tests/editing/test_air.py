"""AIRs: read, written, and refused where they name no LoRA file on CivitAI."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packline.editing.air import ADAPTERS, Air, check_ecosystem, is_air, may_mean, parse_air
from packline.editing.architectures import LORA_ARCHITECTURES
from packline.errors import GiveUp

NAMES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True)
NUMBERS = st.integers(0, 10**18 - 1)
AIRS = st.builds(
    Air,
    ecosystem=NAMES,
    type=st.sampled_from(ADAPTERS),
    source=st.just("civitai"),
    id=NUMBERS,
    version=st.none() | NUMBERS,
    file=st.none() | NUMBERS,
    format=st.sampled_from(["", "safetensors"]),
)


@settings(deadline=None)
@given(AIRS)
def test_what_is_written_is_read_back(air: Air) -> None:
    assert parse_air(str(air)) == air


@settings(deadline=None)
@given(AIRS, st.randoms())
def test_capitals_and_blanks_around_it_do_not_matter(air: Air, random) -> None:
    text = "".join(random.choice([letter.upper(), letter]) for letter in str(air))
    assert parse_air(f" {text}\n") == air
    assert is_air(text)


@settings(deadline=None)
@given(st.text() | AIRS.map(str).flatmap(lambda air: st.builds(air.replace, st.sampled_from(air), st.text())))
def test_anything_else_is_a_sentence_or_a_name_that_reads_back(text: str) -> None:
    try:
        air = parse_air(text)
    except GiveUp as error:
        assert str(error).startswith("AIR ")
        assert str(error).endswith(".")
    else:
        assert parse_air(str(air)) == air


def test_the_documented_example_is_read() -> None:
    air = parse_air("urn:air:zimageturbo:lora:civitai:2344335@2636956")
    assert air == Air("zimageturbo", "lora", "civitai", 2344335, 2636956)
    full = parse_air("urn:air:sdxl:dora:civitai:1@2+3.safetensor")
    assert full == Air("sdxl", "dora", "civitai", 1, 2, 3, "safetensors")
    assert str(full) == "urn:air:sdxl:dora:civitai:1@2+3.safetensors"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "urn:air:sdxl:checkpoint:civitai:1@2",
            "names a model of the type checkpoint, not a LoRA; only lora, lycoris, dora",
        ),
        ("urn:air:sdxl:embedding:civitai:1@2", "names a model of the type embedding, not a LoRA"),
        ("urn:air:sdxl:lora:huggingface:a/b@main", "huggingface is not a source that Packline knows"),
        ("urn:air:sdxl:lora:civitai:1@2.ckpt", r"asks for a \.ckpt file; only \.safetensors"),
        ("urn:air:sdxl:lora:civitai:one@2", "is malformed after civitai"),
        ("urn:air:sdxl:lora:civitai:1@", "is malformed after civitai"),
        ("urn:air:sdxl:lora:civitai:1@2:3", "is malformed after civitai"),
        ("urn:air:sdxl:lora:civitai:1@2?token=x", "is malformed after civitai"),
        ("urn:air:sdxl:lora:civitai:../../1@2", "is malformed after civitai"),
        ("urn:air:sdxl:lora:civitai:١@٢", "is malformed after civitai"),
        ("urn:air:sdxl:lora", r"is malformed; it must read urn:air:\{ecosystem\}"),
        ("https://civitai.com/models/1", "is malformed; it must read"),
        ("", "is malformed"),
    ],
)
def test_what_names_no_lora_file_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(GiveUp, match=sentence):
        parse_air(text)


def test_an_ecosystem_is_not_a_compatibility_class() -> None:
    assert may_mean("flux2") == ("flux2-dev", "flux2-klein-4b", "flux2-klein-9b")
    assert may_mean("illustrious") == ("sdxl",)
    assert may_mean("sd3") == ()
    assert may_mean("tomorrow") is None


@pytest.mark.parametrize("ecosystem", ["sd1", "sdxl", "pony", "flux1", "flux2", "qwen", "zimageturbo"])
def test_every_architecture_that_an_ecosystem_may_mean_is_one_of_the_presets(ecosystem: str) -> None:
    known = may_mean(ecosystem)
    assert known
    assert set(known) <= LORA_ARCHITECTURES


def test_an_ecosystem_rules_architectures_out() -> None:
    def air(ecosystem: str) -> Air:
        return Air(ecosystem, "lora", "civitai", 1, 2)

    check_ecosystem(air("flux2"), "flux2-klein-9b")
    check_ecosystem(air("tomorrow"), "sdxl")
    with pytest.raises(
        GiveUp, match=r"the ecosystem flux2, which can be flux2-dev, .* and not flux1; correct"
    ):
        check_ecosystem(air("flux2"), "flux1")
    with pytest.raises(GiveUp, match="no engine for the ecosystem sd3"):
        check_ecosystem(air("sd3"), "sdxl")
