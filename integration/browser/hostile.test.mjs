// What others write stays text, wherever it is shown.
import assert from "node:assert/strict";
import test from "node:test";
import { Visitor, launch } from "./browser.mjs";
import { api, delivered, mounts, publish, until } from "./site.mjs";
import { Sink } from "./sink.mjs";

// payloads would run, or fetch something, in one place of a page or another.
const payloads = [
  `<script>window.__xss=1</script>`,
  `"><img src=x onerror="window.__xss=1">`,
  `'"><svg/onload=window.__xss=1>`,
  `</textarea></title></pre><script>alert(1)</script>`,
  `<a href="javascript:window.__xss=1" autofocus onfocus="window.__xss=1">`,
  `{{7*7}}\${window.__xss=1}`,
  `<iframe srcdoc="<script>parent.__xss=1</script>"></iframe><base href="//evil.invalid/"><meta http-equiv="refresh" content="0;url=//evil.invalid/">`,
];
const all = payloads.join(" ");

test("hostile text", async t => {
  await launch(t);
  const sink = await Sink.start(t);
  // The site answers with it, too.
  sink.answers(500, `<!doctype html>${all}`, { "Content-Type": "text/html", "X-Evil": all, "Set-Cookie": `evil=1; path=/`, "Refresh": "0; url=//evil.invalid/" });

  for (const mount of ["stripped", "operator"]) {
    await t.test(`that is entered in forms stays text, ${mount}`, async t => {
      const ann = await Visitor.come(t, mounts[mount], "ann");
      const { page } = ann;
      await ann.open("new");
      await page.getByLabel("URL", { exact: true }).fill("javascript:window.__xss=1//" + payloads[1]);
      await page.getByLabel("Description").fill(all);
      await page.getByText("Other types and patterns").click();
      await page.locator("#f-other").fill(all);
      await page.getByText("Advanced", { exact: true }).click();
      await page.getByLabel("Headers").fill(`X-Evil: ${all}\n${all}: value`);
      await page.getByLabel("Filter").fill(`data.x == '${payloads[0]}' ${payloads[1]}`);
      for (const label of ["Rate limit", "Concurrency", "Timeout", "Retry schedule"]) await page.getByLabel(label).fill(payloads[1]);
      await ann.press("Create webhook");
      await ann.sees("things have to be changed");
      assert.equal(await page.getByLabel("Description").inputValue(), all, "it comes back as it was entered");
      await harmless(page);

      // As much of it as is allowed is kept.
      const target = `${sink.url}/${encodeURI(payloads[0])}?q=${payloads[1].replaceAll(" ", "%20")}&r='"><script>window.__xss=1</script>`;
      await page.getByLabel("URL", { exact: true }).fill(target);
      await page.locator("#f-other").fill("*");
      await page.getByLabel("Headers").fill(`X-Evil: ${payloads[1]}`);
      await page.getByLabel("Filter").fill(`data.x != "<script>window.__xss=1</script>"`);
      for (const label of ["Rate limit", "Concurrency", "Timeout", "Retry schedule"]) await page.getByLabel(label).fill("");
      if (mount === "operator") await page.locator("#f-tenant").fill("ann");
      await ann.press("Create webhook");
      await ann.sees("The webhook has been created");
      await harmless(page);
      const endpoint = new URL(page.url()).pathname.split("/").at(-1);

      await ann.open(`endpoints/${endpoint}/test`);
      await ann.press(/^Send /);
      await ann.sees("The test has failed");
      for (const summary of await page.locator("summary").all()) await summary.click();
      assert.ok((await ann.main()).includes(payloads[0]), "what was answered is not shown");
      await harmless(page);

      await api("ann", "POST", `endpoints/${endpoint}/activate`);
      const data = { x: all, ...Object.fromEntries(payloads.map(text => [text, [text]])) };
      const event = await publish("ann", "conversation.created", data);
      const [delivery] = await delivered("ann", event);
      for (const path of ["./", `endpoints/${endpoint}`, `endpoints/${endpoint}/edit`, `endpoints/${endpoint}/secret`, `endpoints/${endpoint}/verify`,
        `endpoints/${endpoint}/delete`, "deliveries", `deliveries/${delivery.id}`, `events/${event}${mount === "operator" ? "?tenant=ann" : ""}`, "overview", "replay"]) {
        await ann.open(path);
        await harmless(page);
      }
      await ann.open(`deliveries/${delivery.id}`);
      const shown = await ann.main();
      for (const text of [payloads[0], "0; url=//evil.invalid/"]) assert.ok(shown.includes(text), `${text} is not shown`);
      const cookies = await ann.context.cookies();
      assert.deepEqual(cookies, [], "a header of the endpoint has become one of the page");

      const replay = await api("ann", "POST", "replays", { statuses: ["pending"], types: ["conversation.created"] });
      await until("the replay to end", async () => (await api("ann", "GET", `replays/${replay.id}`)).state !== "running");
      for (const path of ["replays", `replays/${replay.id}`]) {
        await ann.open(path);
        await harmless(page);
      }
      await api("ann", "DELETE", `endpoints/${endpoint}`);
      await ann.open(`deliveries/${delivery.id}`);
      await harmless(page);
    });
  }

  await t.test("in a link stays text", async t => {
    const ann = await Visitor.come(t, mounts.stripped, "ann");
    for (const payload of [payloads[0], payloads[1], payloads[4], all]) {
      const text = encodeURIComponent(payload);
      for (const path of [`?q=${text}`, `?notice=${text}`, `?tenant=${text}`, `?page=${text}`, `new?url=${text}`, `deliveries?status=${text}`, `deliveries?type=${text}`, `deliveries?endpoint=${text}`,
        `deliveries?from=${text}`, `deliveries?cursor=${text}`, `overview?span=${text}`, `overview?endpoint=${text}`, `replay?status=${text}&type=${text}`, `endpoints/${text}`, `events/${text}`,
        `deliveries/${text}`, `replays/${text}`, `nowhere/${text}`, `assets/${text}`]) {
        await ann.page.goto(path);
        await harmless(ann.page);
      }
    }
  });

  await t.test("in a request to be explained stays text", async t => {
    const ann = await Visitor.come(t, mounts.stripped, "ann");
    const { id } = await api("ann", "POST", "endpoints", { url: sink.url });
    await ann.open(`endpoints/${id}/verify`);
    const pasted = `webhook-id: ${all}\nwebhook-timestamp: ${all}\nwebhook-signature: ${all}\nX-Evil: ${all}\n\n${all}`;
    await ann.page.getByLabel("Paste the request as it arrived").fill(pasted);
    await ann.press("Check");
    await ann.sees("The request is not authentic");
    await harmless(ann.page);
    assert.equal(await ann.page.getByLabel("Paste the request as it arrived").inputValue(), pasted);
  });

  await t.test("would be noticed", async t => {
    // What harmless looks for is found on a page that lets it run.
    const ann = await Visitor.come(t, mounts.stripped, "ann", { provoked: /./ });
    sink.answers(200, `<main>${payloads[0]}</main>`, { "Content-Type": "text/html" });
    await ann.page.goto(sink.url);
    await assert.rejects(harmless(ann.page));
  });
});

// harmless checks that nothing of the text on a page has become anything else.
async function harmless(page) {
  const found = await page.evaluate(() => ({
    ran: window.__xss,
    elements: [...document.querySelectorAll("main script, main img, iframe, base, meta[http-equiv], [onerror], [onload], [onfocus], [href^='javascript:' i], [action^='javascript:' i]")].map(e => e.outerHTML),
  }));
  assert.deepEqual(found, { ran: undefined, elements: [] }, page.url());
}
