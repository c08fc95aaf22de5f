// What there is to see on every page, made through the API.
import { api, delivered, publish, until } from "./site.mjs";

// furnish gives a user webhooks in several states, deliveries of several
// outcomes, and a replay, and returns the paths of the pages that show them.
export async function furnish(user, sink) {
  const made = await api(user, "POST", "endpoints", { url: sink.url, description: "The CRM", events: ["conversation.*", "message.created"], active: true });
  const waiting = await api(user, "POST", "endpoints", { url: "http://127.0.0.1:9/nobody-listens", events: ["label.*"], active: true });
  await api(user, "POST", "endpoints", { url: sink.url + "/inactive" });
  const event = await publish(user, "conversation.created", { id: "conv_1", status: "open" });
  const [good] = await delivered(user, event);
  const [bad] = await delivered(user, await publish(user, "label.created", { id: "label_1" }));
  await api(user, "POST", `endpoints/${made.id}/test`, {});
  const replay = await api(user, "POST", "replays", { statuses: ["succeeded"] });
  await until("the replay to end", async () => (await api(user, "GET", `replays/${replay.id}`)).state !== "running");
  return pages({ endpoint: made.id, failing: waiting.id, delivery: good.id, failed: bad.id, event, replay: replay.id });
}

// pages are the paths of all pages below a mount, by a name for each.
function pages({ endpoint, failing, delivery, failed, event, replay }) {
  return {
    "webhooks": "./",
    "nothing found": "./?q=nothing-like-it",
    "create": "new",
    "webhook": `endpoints/${endpoint}`,
    "failing webhook": `endpoints/${failing}`,
    "test": `endpoints/${endpoint}/test`,
    "secret": `endpoints/${endpoint}/secret`,
    "verify": `endpoints/${endpoint}/verify`,
    "edit": `endpoints/${endpoint}/edit`,
    "delete": `endpoints/${endpoint}/delete`,
    "deliveries": "deliveries",
    "deliveries, filtered": "deliveries?status=failed&type=message.*",
    "delivery": `deliveries/${delivery}`,
    "failed delivery": `deliveries/${failed}`,
    "event": `events/${event}`,
    "overview": "overview",
    "overview by type": "overview?span=hour&by=type",
    "replays": "replays",
    "replay": `replays/${replay}`,
    "replay form": "replay",
  };
}
