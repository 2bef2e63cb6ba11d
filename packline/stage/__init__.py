"""The stage: renders of the product's 3D model, which the rest of the line believes.

Load and place
    `load.load_model(path) -> ProductModel`; `views.scene_pose(model, scene, side, shift, turn, scale)` for
    `ProductModel.transformed`; `views.canonical_camera(model, view, size) -> Camera`;
    `text_truth.apply_declared(model, declared)`.
Draw
    `raster.Rasteriser(size)`; `with rasteriser.staged(model) as stage:` then
    `stage.gbuffer(camera) -> GBuffer`, from as many cameras as wanted.
    See-through surfaces are layers: `layers.flattened(gbuffer) -> GBuffer`,
    `layers.shaded(gbuffer, shade) -> linear RGB`; `label_map.label_map(model, gbuffer, labels)`.
Labels
    `text_truth.text_truth(model, camera, gbuffer)`: what a view shows of each; `lifting.lift(model, label)`:
    where it lies in the world; `propose.propose(model, rasteriser, reader)`: labels that a person may accept
    (`sidecar.write_proposals`, `sidecar.accept`).
Colours
    `colours.product_colours(model)`: the dominant colours of each part; `colours.seen_colours(colours, parts,
    mask)`: how much of each a view shows.
Light
    `lighting.shade(gbuffer, camera, light, ground, visibility) -> linear RGB`, where
    `self_shadow.self_shadow(stage, camera, gbuffer, light) -> Visibility` is what the product blocks of its
    own light; `lighting.studio_light(camera) -> Light`;
    `light_estimate.estimate_light(photo, camera) -> Light` for a scene that has none;
    `lighting.develop(linear) -> uint8`, the one tone curve; sRGB itself is in `packline.colour`.
Ground
    `shadow.ground_shadow(stage, camera, light) -> (key, ambient)`;
    `shadow.shadow_ratio(light, key, ambient)`; `shadow.composite(photo, colour, mask, ratio) -> uint8`.
References
    `render.render_reference(stage, view, camera, scene) -> Reference`; `sheet.contact_sheet(references)`;
    `passes.write_passes(reference, folder)`, for other programs and people;
    `service.render_products(jobs)`: cached, each product in a process of its own, in a sandbox (`worker`).

Everything is deterministic to the bit on one machine. A process draws from one thread.
"""
