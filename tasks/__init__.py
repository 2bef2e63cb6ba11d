"""Tasks: one file a station, an adapter between Prefect and the plain work in packline/line."""
