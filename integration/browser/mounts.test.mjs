// The pages hold together wherever they are mounted, and show to each what he
// may see.
import assert from "node:assert/strict";
import test from "node:test";
import { Visitor, launch } from "./browser.mjs";
import { api, configured, mounts, origin } from "./site.mjs";
import { Sink } from "./sink.mjs";
import { furnish } from "./stage.mjs";

test("mounts", async t => {
  await launch(t);
  const sink = await Sink.start(t);
  const pages = await furnish("ann", sink);
  const changing = ["create", "test", "secret", "edit", "delete", "replay form"];

  for (const [name, mount] of Object.entries(mounts)) {
    await t.test(`${name}: every link leads to a page below it`, async t => {
      const ann = await Visitor.come(t, mount, "ann");
      const seen = new Set([mount]), queue = [mount];
      while (queue.length) {
        const answer = await ann.open(queue.shift());
        if (!answer.headers()["content-type"].startsWith("text/html")) continue;
        const links = await ann.page.evaluate(() => [...document.querySelectorAll("a[href]")].map(a => a.href));
        for (const link of links) {
          const url = new URL(link);
          if (url.origin !== origin) { assert.equal(url.hostname, "www.standardwebhooks.com", link); continue; }
          url.hash = "";
          assert.ok(url.href.startsWith(mount), `${ann.page.url()} leads out of the mount, to ${link}`);
          // One page of each kind will do.
          const kind = url.pathname.replace(/\b(ep|dlv|evt|rpl)_\w+/g, "$1") + [...url.searchParams.keys()].join();
          if (!seen.has(kind)) { seen.add(kind); queue.push(url.href); }
        }
      }
      assert.ok(seen.size >= 12, `${seen.size} kinds of links were found: ${[...seen]}`);
    });

    await t.test(`${name}: without the slash at its end it is found`, async t => {
      const ann = await Visitor.come(t, mount, "ann");
      await ann.open(mount.slice(0, -1));
      assert.equal(ann.page.url(), mount);
      await ann.press("Deliveries", "header");
      assert.equal(ann.page.url(), mount + "deliveries");
    });
  }

  await t.test("read-only: there is much to see and nothing to change", async t => {
    const ann = await Visitor.come(t, mounts.readOnly, "ann");
    for (const [name, path] of Object.entries(pages)) {
      if (changing.includes(name)) {
        await ann.open(path, 403);
        await ann.sees("These settings are read-only");
        continue;
      }
      await ann.open(path);
      assert.equal(await ann.page.locator("form[method=post]").count(), 0, `${name} has a form`);
      assert.ok(!(await ann.page.content()).includes("whsec_M"), `${name} shows a secret`);
      assert.match(await ann.page.locator("footer").innerText(), /Read-only view/);
    }
    await ann.open(pages.webhook);
    assert.equal(await ann.page.getByRole("link", { name: "Edit" }).count(), 0);
    assert.equal(await ann.page.getByRole("link", { name: "Secret key" }).count(), 0);
  });

  await t.test("a configured webhook can be looked at, and tested, alone", async t => {
    const bob = await Visitor.come(t, mounts.stripped, "bob");
    await bob.open("./");
    await bob.sees("in the configuration");
    await bob.open(`endpoints/${configured}`);
    await bob.sees("stands in the server’s configuration");
    assert.equal(await bob.page.getByRole("link", { name: "Edit" }).count(), 0);
    assert.equal(await bob.page.getByRole("button", { name: "Deactivate" }).count(), 0);
    await bob.press("Test");
    await bob.press(/^Send /);
    await bob.page.locator("#report").waitFor();
    await bob.open(`endpoints/${configured}/edit`, 409);
    await bob.sees("change it there");
  });

  await t.test("operator: everybody's are there, or one tenant's", async t => {
    const operator = await Visitor.come(t, mounts.operator, "ann");
    const { page } = operator;
    await operator.open("./");
    const rows = page.locator("#endpoints tbody tr");
    assert.match(await rows.filter({ hasText: "/nobody-listens" }).innerText(), /\bann\b/);
    assert.match(await rows.filter({ hasText: "in the configuration" }).innerText(), /\bbob\b/);
    await page.getByLabel("Tenant").fill("bob");
    await operator.press("Show");
    assert.equal(await rows.count(), 1);
    await operator.press("Deliveries", "header"); // of bob, still
    assert.equal(new URL(page.url()).searchParams.get("tenant"), "bob");
    await operator.sees("No deliveries yet");
    await page.getByLabel("Tenant").fill("");
    await operator.press("Show");
    await operator.sees("conversation.created");

    await operator.open("new?tenant=carol");
    await page.getByLabel("URL", { exact: true }).fill(sink.url);
    await page.getByRole("checkbox", { name: /All events/ }).check();
    await operator.press("Create webhook");
    await operator.sees("The webhook has been created", "carol");
    const { endpoints } = await api("ann", "GET", "endpoints?tenant=carol", null, mounts.operator);
    assert.equal(endpoints.length, 1);
  });
});
