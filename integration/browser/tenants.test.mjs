// What is one tenant's is nobody else's.
import assert from "node:assert/strict";
import test from "node:test";
import { Visitor, launch } from "./browser.mjs";
import { api, configured, mounts, origin, until } from "./site.mjs";
import { Sink } from "./sink.mjs";
import { furnish } from "./stage.mjs";

test("tenants", async t => {
  await launch(t);
  const sink = await Sink.start(t);
  const pages = await furnish("ann", sink);
  const ids = Object.values(pages).flatMap(path => path.match(/(ep|dlv|evt|rpl)_\w+/g) ?? []);
  assert.ok(new Set(ids.map(id => id.slice(0, 3))).size >= 3, `there are few IDs: ${ids}`);
  const owned = Object.values(pages).filter(path => /^(endpoints|deliveries|events|replays)\/./.test(path));
  assert.ok(owned.length >= 10);

  for (const mount of ["stripped", "prefixed", "readOnly"]) {
    await t.test(`do not find each other's pages, ${mount}`, async t => {
      const bob = await Visitor.come(t, mounts[mount], "bob");
      for (const path of owned) {
        const answer = await bob.page.goto(path);
        // Where nothing can be changed, the pages for that are nobody's.
        const refused = mount === "readOnly" && answer.status() === 403;
        assert.ok(answer.status() === 404 || refused, `${path} is answered ${answer.status()}`);
        assert.ok(!(await bob.page.content()).includes(sink.url), `${path} shows what is not bob's`);
      }
    });
  }

  await t.test("do not see each other's things in lists", async t => {
    const bob = await Visitor.come(t, mounts.stripped, "bob");
    const endpoint = pages.webhook.split("/")[1];
    for (const path of ["./", "deliveries", "overview", "replays", "replay", `deliveries?endpoint=${endpoint}`, `overview?endpoint=${endpoint}`,
      `replay?endpoint=${endpoint}`, "./?tenant=ann", "deliveries?tenant=ann", "overview?tenant=ann", "replays?tenant=ann"]) {
      await bob.page.goto(path);
      const seen = await bob.page.content();
      assert.ok(!seen.includes(sink.url) && !seen.includes("conv_1") && !seen.includes("The CRM"), `${path} shows what is ann's`);
    }
    await bob.open("./");
    assert.match(await bob.main(), /in the configuration/); // of what is his
  });

  await t.test("cannot change each other's things from a page", async t => {
    const bob = await Visitor.come(t, mounts.stripped, "bob", { provoked: /status of 404/ });
    await bob.open("./");
    const endpoint = pages.webhook, delivery = pages.delivery, replay = pages.replay;
    for (const path of [`${endpoint}/activate`, `${endpoint}/deactivate`, `${endpoint}/edit`, `${endpoint}/delete`, `${endpoint}/test`, `${endpoint}/rotate`,
      `${endpoint}/secret`, `${endpoint}/verify`, `${endpoint}/snippets`, `${delivery}/retry`, `${delivery}/cancel`, `${replay}/cancel`]) {
      const form = { url: sink.url, events: "*", type: "conversation.created", request: "webhook-id: evt_1\n\n{}" };
      const status = await bob.page.evaluate(async ([path, form]) =>
        (await fetch(path, { method: "POST", body: new URLSearchParams(form), redirect: "manual" })).status, [path, form]);
      assert.equal(status, 404, path);
    }
    const { state } = await api("ann", "GET", endpoint);
    assert.equal(state, "active");
  });

  await t.test("are nobody's without signing in", async () => {
    for (const path of [...owned, "./", "deliveries"]) {
      const answer = await fetch(mounts.stripped + path, { headers: { Accept: "text/html" } });
      assert.equal(answer.status, 401, path);
    }
  });

  await t.test("cannot be tricked by a page of another site", async t => {
    // The other site is on another port of the same host: cookies and passwords
    // know no difference, origins do.
    const ann = await Visitor.come(t, mounts.stripped, "ann", { provoked: /asks another site|frame-ancestors|X-Frame-Options|\/favicon\.ico|status of 403/ });
    const other = new URL("/trick", sink.url).href;
    await ann.open("./"); // the browser knows the password now
    sink.answers(200, `<form method="post" action="${mounts.stripped}${pages.webhook}/deactivate"><button>Win a prize</button></form>`, { "Content-Type": "text/html" });
    await ann.page.goto(other);
    await ann.press("Win a prize");
    assert.equal(new URL(ann.page.url()).origin, origin);
    await ann.sees("comes from a page of another origin");
    assert.equal((await api("ann", "GET", pages.webhook)).state, "active");

    sink.answers(200, `<h1>A game</h1><iframe src="${mounts.stripped}"></iframe>`, { "Content-Type": "text/html" });
    await ann.page.goto(other);
    await until("the frame to be refused", () => ann.troubles.some(text => /frame-ancestors|X-Frame-Options/.test(text)));
    const shown = await Promise.all(ann.page.frames().slice(1).map(frame => frame.content()));
    assert.ok(!shown.join().includes("Webhooks"), "another site has the pages in a frame");
  });

  assert.ok((await api("bob", "GET", "endpoints")).endpoints.some(e => e.id === configured));
});
