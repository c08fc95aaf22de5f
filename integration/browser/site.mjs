// The Caddy under test, as the Go test that started it tells of it.
export const origin = required("PAGES_ORIGIN");

// mounts are where the settings are, each with a slash at its end.
export const mounts = {
  stripped: `${origin}/settings/webhooks/`, // by handle_path
  prefixed: `${origin}/manage/webhooks/`, // by the handler itself
  readOnly: `${origin}/look/`,
  operator: `${origin}/operator/`,
};

// configured is the endpoint that stands in the configuration, of bob.
export const configured = "fixed";

function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run the suites with go test -run TestPages ./integration`);
  return value;
}

const authorization = user => "Basic " + Buffer.from(`${user}:${user}-password`).toString("base64");

// api makes a request to the JSON API and returns what is answered.
export async function api(user, method, path, body, mount = mounts.stripped) {
  const answer = await fetch(mount + "api/" + path, {
    method,
    headers: { Authorization: authorization(user), ...(body ? { "Content-Type": "application/json" } : {}) },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path} as ${user}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

// publish publishes an event and returns its ID.
export async function publish(user, event, data) {
  const answer = await fetch(`${origin}/events`, {
    method: "POST",
    headers: { Authorization: authorization(user), "Content-Type": "application/json" },
    body: JSON.stringify({ event, data }),
  });
  const text = await answer.text();
  if (answer.status !== 202) throw new Error(`publishing ${event} as ${user}: ${answer.status} ${text}`);
  return JSON.parse(text).id;
}

// delivered waits for the deliveries of an event to be settled, or to have been
// tried so many times, and returns them.
export function delivered(user, event, attempts = 1) {
  return until(`event ${event} to be tried`, async () => {
    const { deliveries } = await api(user, "GET", `events/${event}`);
    return deliveries.length > 0 && deliveries.every(d => d.attempts >= attempts) && deliveries;
  });
}

// until waits for a condition, for a time that only a broken program needs, and
// returns what it came to.
export async function until(what, condition) {
  for (const end = Date.now() + 60_000; Date.now() < end; await new Promise(resume => setTimeout(resume, 50))) {
    const value = await condition();
    if (value) return value;
  }
  throw new Error(`gave up waiting for ${what}`);
}
