"""One file per revision, append-only."""
