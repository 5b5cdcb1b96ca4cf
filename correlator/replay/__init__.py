"""Replays: doing again what failed, safely, and seeing that it worked.

targets.py    where a replay may go (targets.yaml); presets.yaml: how the known platforms are asked
policy.py     who must approve what (approvals.yaml)
templates.py  texts of a call from what is known of an exception
facts.py      what is known of the exceptions to replay, one query for all
preflight.py  what speaks against it, before planning and again before sending
ledger.py     replays and their items in the control store: every change is a stored transition
calls.py      one call, and whether it may be made again
worker.py     the loop: recover, send in batches, verify
"""
