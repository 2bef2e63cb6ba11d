"""The held-back bench: real models, other fonts, another renderer and other defects than those tuned on."""
