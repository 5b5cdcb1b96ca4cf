"""The platforms as they behave: business facts in, each platform's own requests out, with its faults.

One small class per platform. Used by tests, and by the demo's firm (`demo/systems.py` lists them).
"""
