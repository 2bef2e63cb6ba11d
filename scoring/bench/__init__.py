"""The defect bench: pictures whose faults are known, made from the stage's renders, to measure the checks.

Alone in `scoring` this package draws with `packline.stage`; no check imports it.
"""
