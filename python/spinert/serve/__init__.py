"""spinert-serve: studies over HTTP, one after the other through one engine (docs/service.md)."""
