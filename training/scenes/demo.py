"""The demo's sets, written by hand; none is drawn from the training generator."""

from __future__ import annotations

from training.scenes.finish import linear
from training.scenes.spec import Key, Prop, SceneSpec, warmth

DEMO: dict[str, SceneSpec] = {
    "oak-table": SceneSpec(
        kind="table", seed=9001, ground="wood", tone="oak", back="wall", back_distance=0.95,
        wall=linear(230, 227, 220), height=0.42, distance=1.05, azimuth=9.0,
        key=Key(-72.0, 44.0, 11.0, warmth(6300)),
        props=(Prop("plant", 0.37, 0.62), Prop("books", -0.42, 0.66, 12.0), Prop("cup", -0.34, 0.38)),
        aside=0.0, turn=6.0, aperture=0.009, fill_light=0.45, grain_turn=4.0,
    ),
    "kitchen-shelf": SceneSpec(
        kind="shelf", seed=9102, ground="wood", tone="walnut", back="tiles", back_distance=0.27,
        wall=linear(214, 206, 194), height=0.24, distance=1.1, azimuth=-5.0,
        key=Key(48.0, 42.0, 12.0, warmth(5600)),
        props=(Prop("jars", -0.33, 0.1), Prop("bowl", 0.33, 0.08), Prop("bottle", 0.2, 0.17)),
        aside=0.01, turn=-5.0, aperture=0.007, fill_light=0.5, grain_turn=0.0,
    ),
    "slate-stone": SceneSpec(
        kind="stone", seed=9203, ground="stone", tone="slate", back="wall", back_distance=1.2,
        wall=linear(70, 74, 78), height=0.5, distance=0.98, azimuth=-12.0,
        key=Key(-102.0, 48.0, 9.0, warmth(6800)),
        props=(Prop("branches", 0.36, 0.6), Prop("bowl", -0.46, 0.55)),
        aside=-0.02, turn=8.0, aperture=0.01, fill_light=0.35, grain_turn=8.0,
    ),
    "linen-fabric": SceneSpec(
        kind="fabric", seed=9304, ground="linen", tone="plain", back="wall", back_distance=1.0,
        wall=linear(150, 160, 156), height=0.6, distance=0.95, azimuth=14.0,
        key=Key(68.0, 42.0, 8.0, warmth(5600)),
        props=(Prop("vase", -0.4, 0.55), Prop("candle", -0.24, 0.62)),
        aside=0.03, turn=-8.0, aperture=0.009, fill_light=0.4, cloth=linear(226, 220, 208), grain_turn=18.0,
    ),
    "studio-sweep": SceneSpec(
        kind="sweep", seed=9405, ground="paper", tone="plain", back="sweep", back_distance=0.75,
        wall=linear(214, 222, 226), height=0.3, distance=1.15, azimuth=0.0,
        key=Key(-48.0, 52.0, 13.0, warmth(5600), "softbox"),
        aside=0.0, turn=10.0, aperture=0.007, fill_light=0.5,
    ),
    "window-light": SceneSpec(
        kind="window", seed=9506, ground="wood", tone="pale oak", back="wall", back_distance=0.7,
        wall=linear(226, 218, 204), height=0.36, distance=1.1, azimuth=-6.0,
        key=Key(-66.0, 33.0, 1.3, warmth(4700), "sun", True),
        props=(Prop("branches", 0.3, 0.42), Prop("books", -0.38, 0.45, -8.0)),
        aside=0.0, turn=-6.0, aperture=0.008, fill_light=0.4, grain_turn=0.0,
    ),
    "marble-top": SceneSpec(
        kind="counter", seed=9607, ground="marble", tone="white", back="room", back_distance=1.4,
        wall=linear(188, 196, 190), height=0.3, distance=1.1, azimuth=16.0,
        key=Key(84.0, 46.0, 10.0, warmth(6600)),
        props=(Prop("bottle", -0.36, 0.42), Prop("bowl", 0.36, 0.4)),
        aside=-0.02, turn=5.0, aperture=0.01, fill_light=0.5, grain_turn=-9.0,
    ),
    "concrete-plinth": SceneSpec(
        kind="plinth", seed=9708, ground="concrete", tone="warm concrete", back="wall", back_distance=1.1,
        wall=linear(196, 160, 140), height=0.34, distance=1.15, azimuth=-18.0,
        key=Key(40.0, 40.0, 2.4, warmth(5000), "sun"),
        aside=0.0, turn=4.0, aperture=0.009, fill_light=0.4, grain_turn=-11.0,
    ),
    "kitchen-counter": SceneSpec(
        kind="counter", seed=9809, ground="terrazzo", tone="cream", back="tiles", back_distance=0.5,
        wall=linear(214, 206, 194), height=0.45, distance=1.0, azimuth=7.0,
        key=Key(-58.0, 46.0, 11.0, warmth(6000)),
        props=(Prop("board", 0.31, 0.36), Prop("plant", -0.42, 0.33)),
        aside=0.02, turn=-4.0, aperture=0.008, fill_light=0.45, grain_turn=0.0,
    ),
}  # fmt: skip
