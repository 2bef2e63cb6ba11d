"""The stage: renders of the product's 3D model, which the rest of the line believes."""
