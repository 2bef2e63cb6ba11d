"""Engines on one of several cards; torch's own functions are stood in for, for there may be no card here."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from packline.editing.engine import EditRequest
from packline.editing.loading import pick_device
from packline.editing.memory import Memory
from packline.errors import FixSettings


def test_on_a_second_card_memory_and_streams_are_that_card_s(make_engine, pictures, monkeypatch):
    asked = []

    def answering(name, answer):
        return lambda device=None: (asked.append((name, str(device))), answer)[1]

    numbers = {
        "memory_allocated": 3,
        "memory_reserved": 5,
        "max_memory_allocated": 7,
        "mem_get_info": (11, 99),
    }
    for name, answer in {**numbers, "reset_peak_memory_stats": None}.items():
        monkeypatch.setattr(torch.cuda, name, answering(name, answer))
    memory = Memory("cuda:1")
    assert (memory.start(), memory.peak(), memory.free()) == (3, 7, 13)
    assert {name for name, _ in asked} == {*numbers, "reset_peak_memory_stats"}
    assert {device for _, device in asked} == {"cuda:1"}

    engine = make_engine()
    engine.warm_up()
    driver, recorded = engine._driver, []
    latents = SimpleNamespace(device=torch.device("cuda:1"))
    monkeypatch.setattr(driver, "call", lambda *_: setattr(driver, "_caught", latents))
    monkeypatch.setattr(torch.cuda, "Event", lambda: SimpleNamespace(record=recorded.append))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"the stream of {device}")
    driver.denoise([EditRequest(pictures(2), "a shoe", 1)], ())
    assert recorded == ["the stream of cuda:1"]


def test_an_engine_measures_the_card_that_it_is_on(make_engine, monkeypatch):
    engine = make_engine()
    begun = []
    monkeypatch.setattr(engine._drawing, "begin", begun.append)
    monkeypatch.setattr("packline.editing.driver.PipelineDriver.card_or_cpu", "cuda:1")
    engine.warm_up()
    assert begun == ["cuda:1"]


def test_a_card_that_is_not_there_is_named_with_those_that_are(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [pick_device(name) for name in ("auto", "cuda", "cuda:1")] == ["cuda", "cuda", "cuda:1"]
    with pytest.raises(FixSettings, match=r'engine\.device is cuda:7, but torch sees 2 GPUs .*"cuda:1"'):
        pick_device("cuda:7")
