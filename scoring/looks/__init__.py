"""Looks: each finds one kind of defect that shows whatever the product is; `scoring.artifacts` asks them all.

Every look measures a number, compares it with what base photo and render themselves have, and grades it: 0.5
at the limit that `graded` is given, with no flat ends, so that calibration can move the threshold.
"""
