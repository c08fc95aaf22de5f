// The way of a webhook from its creation to its end, as a person goes it
// through the pages: with JavaScript, and without.
import assert from "node:assert/strict";
import { api, delivered, publish, until } from "./site.mjs";
import { Visitor } from "./browser.mjs";
import { Sink, verify } from "./sink.mjs";

// walk goes the way on a mount. Each step is a subtest of t; after one that has
// failed there is no sense in the others.
export async function walk(t, mount, javaScriptEnabled) {
  const sink = await Sink.start(t);
  const ann = await Visitor.come(t, mount, "ann", { javaScriptEnabled });
  const { page } = ann;
  let secret, endpoint, first, none, failed = false;
  const step = async (name, does) => {
    if (failed) return;
    await t.test(name, async () => {
      failed = true;
      await does();
      failed = false;
    });
  };
  const row = text => page.locator("#rows tr").filter({ hasText: text });

  await step("is told what to do first", async () => {
    await ann.open("./");
    await ann.sees("No webhooks yet", "Create a webhook with the URL");
    await ann.press("Create the first one");
    assert.equal(await page.title(), "Create webhook · Webhooks");
  });

  await step("is told what is wrong with a URL", async () => {
    const field = page.getByLabel("URL", { exact: true });
    await field.fill("http://169.254.169.254/latest/meta-data");
    if (javaScriptEnabled) await field.press("Tab"); // to leave it is enough
    else {
      await page.getByLabel(/conversation\.\*/).check();
      await ann.press("Create webhook");
      await ann.sees("One thing has to be changed");
      assert.ok(await page.getByLabel(/conversation\.\*/).isChecked(), "what was chosen is kept");
    }
    await page.locator("#e-url .fault", { hasText: "egress rules forbid 169.254.169.254" }).waitFor();
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    await field.fill(sink.url);
    if (javaScriptEnabled) {
      await field.press("Tab");
      await page.locator("#e-url .fine").waitFor();
      assert.equal(await field.getAttribute("aria-invalid"), null);
    }
  });

  await step("creates it and is shown its secret once", async () => {
    await page.getByLabel("Description").fill("The CRM");
    await page.getByLabel(/conversation\.\*/).check();
    await page.getByRole("checkbox", { name: /^message\.created/ }).check();
    await ann.press("Create webhook");
    await ann.sees("The webhook has been created", "Next: send a test", "The CRM", "Inactive", "conversation.*", "message.created");
    secret = await page.locator("#new-secret").innerText();
    assert.match(secret, /^whsec_[A-Za-z0-9+/=]{32,}$/);
    const copy = page.locator(".secret").getByRole("button", { name: "Copy" });
    if (javaScriptEnabled) {
      await copy.click();
      await page.locator(".secret").getByRole("button", { name: "Copied" }).waitFor();
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), secret);
    } else assert.equal(await copy.count(), 0, "there is a button that does nothing");
    endpoint = new URL(page.url()).pathname.split("/").at(-1);
    await page.reload();
    await ann.sees("The CRM");
    assert.ok(!(await page.content()).includes(secret), "the secret is shown twice");
  });

  await step("tests it and is told why that fails", async () => {
    await ann.press("Send a test");
    const type = page.getByLabel("Event type");
    if (javaScriptEnabled) await Promise.all([page.waitForURL(/type=conversation\.resolved/), type.selectOption("conversation.resolved")]);
    else {
      await type.selectOption("conversation.resolved");
      await ann.press("Show the sample");
    }
    assert.match(await page.locator("#sample").innerText(), /"id": "conv_123"/);
    sink.answers(401, "who are you?", { "Content-Type": "text/plain" });
    await ann.press("Send conversation.resolved");
    await ann.sees("The test has failed", "401");
    assert.ok(await page.locator("#report .remedy").count() > 0, "nothing is said of what to do");
    assert.equal(await page.getByRole("button", { name: "Activate this webhook" }).count(), 0);
    await page.getByText("The answer: 401").click();
    await ann.sees("who are you?");
  });

  await step("tests it with success", async () => {
    sink.answers(200, `{"taken":true}`, { "Content-Type": "application/json" });
    await ann.press("Send conversation.resolved");
    await ann.sees("The test has succeeded", "200");
    verify(sink.received.at(-1), secret);
    assert.equal(JSON.parse(sink.received.at(-1).body).event, "conversation.resolved");
    await page.getByText("The request, as it was sent").click();
    assert.match(await page.locator("#curl").innerText(), /^curl .*[\s\S]*Webhook-Signature: v1,/);
  });

  await step("activates it and sees the first event arrive", async () => {
    await ann.press("Activate this webhook");
    await ann.sees("it gets events from now on", "Active");
    first = await publish("ann", "conversation.created", { id: "conv_1", note: "the first one" });
    verify(await sink.arrival(first), secret);
    await delivered("ann", first);
    await ann.press("Deliveries", "header");
    await row("conversation.created").waitFor();
    assert.match(await row("conversation.created").innerText(), /Succeeded[\s\S]*The CRM[\s\S]*200/);
    await row("conversation.created").getByRole("link").click();
    await ann.sees("Attempt 1", "200 OK", "the first one", "taken", "Where the time went");
  });

  if (javaScriptEnabled) await step("sees the list live until it is paused", async () => {
    await ann.open("deliveries");
    await page.evaluate(() => { window.loadedOnce = true; });
    await page.getByText("Live", { exact: true }).waitFor();
    await publish("ann", "conversation.assigned", { id: "conv_2" });
    await row("conversation.assigned").waitFor();
    await row("conversation.assigned").getByText("Succeeded").waitFor();
    await page.locator("#announce", { hasText: "new deliver" }).waitFor({ state: "attached" });

    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByText("Paused").waitFor();
    const other = await ann.context.newPage(); // which is not paused
    await other.goto("deliveries");
    await other.getByText("Live", { exact: true }).waitFor();
    const unseen = await publish("ann", "conversation.reopened", { id: "conv_2" });
    await delivered("ann", unseen);
    await other.locator("#rows", { hasText: "conversation.reopened" }).waitFor();
    assert.equal(await row("conversation.reopened").count(), 0, "a paused list has changed");
    await other.close();
    await page.getByRole("button", { name: "Go on" }).click();
    await row("conversation.reopened").waitFor();
    assert.ok(await page.evaluate(() => window.loadedOnce), "the page was loaded again");
  });

  await step("is told why a delivery fails, and retries it", async () => {
    sink.answers(503, "gone fishing", { "Content-Type": "text/plain" });
    const event = await publish("ann", "conversation.labeled", { id: "conv_3" });
    await delivered("ann", event);
    await ann.open("deliveries?status=pending");
    assert.match(await row("conversation.labeled").innerText(), /next[\s\S]*503/);
    await row("conversation.labeled").getByRole("link").click();
    await ann.sees("503 Service Unavailable", "the endpoint answered 503", "gone fishing", "Next attempt");
    sink.answers(200);
    await ann.press("Retry now");
    await ann.sees("The delivery is on its way again.");
    await delivered("ann", event, 2);
    await page.reload();
    await ann.sees("Succeeded", "Attempt 2");
    verify(await sink.arrival(event, 2), secret);
  });

  await step("replays what was delivered, having counted it", async () => {
    await ann.press("Replays", "header");
    await ann.press("Replay deliveries", "main .title");
    await page.getByLabel("Failed").uncheck();
    await page.getByLabel("Succeeded").check();
    await page.getByLabel("Event type").fill("conversation.created");
    await page.getByLabel("How fast").fill("1/s");
    await ann.press("Count");
    await page.locator("#count", { hasText: "1 deliver" }).waitFor();
    assert.equal(sink.arrivals(first).length, 1, "to count has changed something");
    assert.equal(await page.getByLabel("How fast").inputValue(), "1/s");
    await page.getByLabel("Event type").fill("conversation.*");
    await ann.press("Start the replay");
    await ann.sees("The replay has begun.");
    await page.getByRole("progressbar").waitFor();
    if (!javaScriptEnabled) await ann.eventuallySees("Done");
    await ann.sees("Done"); // by itself
    verify(await sink.arrival(first, 2), secret);
  });

  await step("rotates the secret, and both sign for a while", async () => {
    await ann.open(`endpoints/${endpoint}`);
    await ann.press("Secret key");
    await page.getByLabel("The present secret goes on to sign for").selectOption({ label: "1 hour" });
    await ann.press("Rotate");
    await ann.sees("The secret has been rotated.", "Current", "Previous", "each delivery carries both signatures");
    const fresh = await page.locator("#new-secret").innerText();
    assert.notEqual(fresh, secret);
    const request = await sink.arrival(await publish("ann", "conversation.created", { id: "conv_4" }));
    assert.equal(request.headers["webhook-signature"].split(" ").length, 2);
    verify(request, secret);
    verify(request, fresh);
    await ann.open(`endpoints/${endpoint}/secret`);
    assert.ok(!(await page.content()).includes(fresh), "the secret is shown without being asked for");
    await ann.press("Reveal");
    await ann.sees(fresh, secret);
    secret = fresh;
  });

  await step("has a request explained", async () => {
    await ann.press("How to verify");
    const { headers, body } = sink.received.at(-1);
    const text = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(name => `${name}: ${headers[name]}\n`).join("") + "\n" + body;
    await page.getByLabel("Paste the request as it arrived").fill(text);
    await ann.press("Check");
    await ann.sees("The request is authentic");
    await page.getByLabel("Paste the request as it arrived").fill(text.replace("conv_4", "conv_5"));
    await ann.press("Check");
    await ann.sees("The request is not authentic");
  });

  await step("edits it", async () => {
    await ann.press("Edit");
    assert.equal(await page.getByLabel("Description").inputValue(), "The CRM");
    await page.getByLabel("Description").fill("The other CRM");
    await page.getByText("Advanced", { exact: true }).click();
    await page.getByLabel("Headers").fill("X-Team: support");
    await page.getByLabel("Filter").fill(`data.id == "conv_6"`);
    await ann.press("Save changes");
    await ann.sees("The changes have been saved.", "The other CRM", "X-Team");
    none = await publish("ann", "conversation.created", { id: "conv_5" });
    const request = await sink.arrival(await publish("ann", "conversation.created", { id: "conv_6" }));
    assert.equal(request.headers["x-team"], "support");
    assert.equal(sink.arrivals(none).length, 0, "the filter does nothing");
  });

  await step("has it sent what it has missed", async () => {
    await ann.press("Edit");
    const filter = page.getByLabel("Filter");
    if (!await filter.isVisible()) await page.getByText("Advanced", { exact: true }).click();
    await filter.fill("");
    await ann.press("Save changes");
    await ann.sees("The changes have been saved.");
    await ann.press("Send it what it has missed");
    assert.ok(await page.locator("#missing").isChecked());
    assert.ok(!await page.getByLabel("Failed").isVisible(), "statuses are to be chosen, which mean nothing");
    await page.getByLabel("Event type").fill("conversation.created");
    await ann.press("Count");
    await page.locator("#count", { hasText: "missing, and delivered as it stands" }).waitFor();
    assert.equal(sink.arrivals(none).length, 0, "to count has changed something");
    await ann.press("Start the replay");
    await ann.sees("The replay has begun.", "missing events");
    verify(await sink.arrival(none), secret);
    await ann.open(`endpoints/${endpoint}`);
  });

  await step("deactivates and deletes it", async () => {
    await ann.press("Deactivate");
    await ann.sees("The webhook has been deactivated.", "Inactive");
    await ann.press("Edit");
    await ann.press("Delete this webhook");
    await ann.press("Keep it");
    await ann.press("Delete this webhook");
    await ann.press("Delete");
    await ann.sees("The webhook has been deleted", "No webhooks yet");
    await ann.open(`endpoints/${endpoint}`, 404);
    await ann.sees("There is no webhook of this ID");
    await until("no endpoint to be left", async () => (await api("ann", "GET", "endpoints")).endpoints.length === 0);
  });
}
