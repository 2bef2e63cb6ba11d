"""The stage: renders of the product's 3D model, which the rest of the line believes.

Load and place
    `load.load_model(path) -> ProductModel`; `views.scene_pose(model, scene, side, shift, turn, scale)` for
    `ProductModel.transformed`; `views.canonical_camera(model, view, size) -> Camera`;
    `text_truth.apply_declared(model, declared)`.
Draw
    `raster.Rasteriser(size)`; `with rasteriser.staged(model) as stage:` then
    `stage.gbuffer(camera) -> GBuffer`, from as many cameras as wanted.
Light
    `lighting.shade(gbuffer, camera, light, ground) -> linear RGB`; `lighting.studio_light(camera) -> Light`;
    `lighting.develop(linear) -> uint8`, the one tone curve; sRGB itself is in `packline.colour`.
Ground
    `shadow.ground_shadow(stage, camera, light) -> (key, ambient)`;
    `shadow.shadow_ratio(light, key, ambient)`; `shadow.composite(photo, colour, mask, ratio) -> uint8`.
References
    `render.render_reference(stage, view, camera, scene) -> Reference`; `render.contact_sheet(references)`;
    `service.render_products(jobs)`: cached, each product in a worker process that may die.

Everything is deterministic to the bit on one machine. A process draws from one thread.
"""
