"""What makes the demo assets: base photos, models and LoRAs. Nothing that runs the line imports it."""
