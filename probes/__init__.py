"""Capture and vocabulary: what enters other people's services.  Imports nothing of ours."""
