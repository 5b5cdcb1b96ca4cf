"""The simulated firm of `throughline demo`: a planned past sent as real telemetry, and a moving present."""
