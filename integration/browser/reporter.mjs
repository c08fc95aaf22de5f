// A reporter for node:test that writes each result as a line of JSON, for the
// Go test that runs the suites.
export default async function* reporter(events) {
  const path = [];
  for await (const { type, data } of events) {
    if (type === "test:start") {
      path.length = data.nesting;
      path.push(data.name);
    }
    if (type !== "test:pass" && type !== "test:fail") continue;
    const name = [...path.slice(0, data.nesting), data.name].join("/");
    const error = data.details?.error;
    yield JSON.stringify({
      name,
      passed: type === "test:pass" && data.skip === undefined && data.todo === undefined,
      ms: Math.round(data.details?.duration_ms ?? 0),
      error: error ? String(error.cause?.stack ?? error.cause ?? error.stack ?? error) : "",
    }) + "\n";
  }
}
