// A user's program: the stock SDK, configured by the environment alone. Argument: how many spans.
import { trace } from "@opentelemetry/api";
import { NodeSDK } from "@opentelemetry/sdk-node";

const sdk = new NodeSDK();
sdk.start();
const tracer = trace.getTracer("stock-node");
for (let number = 0; number < Number(process.argv[2]); number += 1) {
  tracer.startActiveSpan(`span ${number}`, (span) => {
    span.setAttribute("number", number);
    span.setAttribute("list", ["a", "b"]);
    span.end();
  });
  if (number % 400 === 399) await new Promise((done) => setTimeout(done, 50)); // lets batches of 512 go out
}
await sdk.shutdown();
