"""The span processor that copies keys from W3C Baggage onto every span that starts."""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor

from throughline.probes.baggage import context_keys, replay_of
from throughline.probes.guard import swallow


class BaggageKeys(SpanProcessor):
    """Baggage `business.key.<namespace>` becomes `business.context.key.<namespace>` on span start.

    `business.replay.id` is copied as it is. `configure()` installs it; with providers of your own:
    `provider.add_span_processor(BaggageKeys())`.
    """

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Called by OpenTelemetry while a span starts; writes nothing when the baggage holds neither."""
        try:
            found = {**context_keys(parent_context), **replay_of(parent_context)}
            if found:
                span.set_attributes(found)
        except Exception as error:  # noqa: BLE001 never into the host
            swallow(error, "copying keys from baggage")
