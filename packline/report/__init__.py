"""The report: one self-contained HTML file that shows what a run did, picture by picture."""

from packline.report.build import write_report

__all__ = ["write_report"]
