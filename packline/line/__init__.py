"""The line: everything a run works with, and the plain work of each station. Knows nothing of Prefect."""

from packline.line.line import Line
from packline.line.order import Order

__all__ = ["Line", "Order"]
