"""The platforms whose webhooks we understand: one file each, loaded on first use, open to third parties."""
