"""Flows: what ops sees in Prefect; one file a flow."""
