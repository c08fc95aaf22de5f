import assert from "node:assert/strict";
import test from "node:test";
import { Visitor, launch } from "./browser.mjs";
import { mounts } from "./site.mjs";
import { Sink } from "./sink.mjs";
import { furnish } from "./stage.mjs";
import { walk } from "./walk.mjs";

test("with JavaScript a webhook", async t => {
  await launch(t);
  await walk(t, mounts.stripped, true);
});

test("a form that was stopped can be sent again", async t => {
  await launch(t);
  const pages = await furnish("ann", await Sink.start(t));
  const ann = await Visitor.come(t, mounts.stripped, "ann");
  await ann.open(pages.test);
  await ann.page.route("**/test", () => {}); // it is never answered
  const { before, sent, stopped, prevented } = await ann.page.evaluate(async () => {
    const button = document.getElementById("send"), before = button.textContent;
    let prevented;
    button.form.addEventListener("submit", event => { prevented = event.defaultPrevented; });
    button.click();
    const sent = button.textContent;
    for (let n = 0; n < 500 && button.textContent !== before; n++) {
      await new Promise(later => setTimeout(later, 10));
      window.stop();
    }
    const stopped = button.textContent;
    button.click();
    return { before, sent, stopped, prevented };
  });
  assert.notEqual(sent, before);
  assert.equal(stopped, before);
  assert.equal(prevented, false);
});
