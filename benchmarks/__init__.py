"""Programs that measure; each prints one JSON object, the demo prints tables."""
