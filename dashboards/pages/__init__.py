"""Pages, one per question."""
