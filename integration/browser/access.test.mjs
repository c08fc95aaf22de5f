// Everybody can use every page: axe finds nothing serious, a keyboard is
// enough, a phone is wide enough, and no page is large.
import assert from "node:assert/strict";
import test from "node:test";
import axe from "axe-core";
import { Visitor, launch } from "./browser.mjs";
import { api, mounts } from "./site.mjs";
import { Sink } from "./sink.mjs";
import { furnish } from "./stage.mjs";

// maxPage is how large a page may be, in bytes, without its style and script,
// which are kept.
const maxPage = 50_000;

const screens = [
  { screen: "light desktop", colorScheme: "light", viewport: { width: 1280, height: 900 } },
  { screen: "dark desktop", colorScheme: "dark", viewport: { width: 1280, height: 900 } },
  { screen: "light phone", colorScheme: "light", viewport: { width: 375, height: 812 } },
];

// smallest is the width of the smallest phone, and of what a desktop shows when
// it is made four times as large.
const smallest = 320;

test("pages", async t => {
  await launch(t);
  const sink = await Sink.start(t);
  const pages = await furnish("ann", sink);

  for (const { screen, viewport, colorScheme } of screens) {
    await t.test(`for all on a ${screen}`, async t => {
      const ann = await Visitor.come(t, mounts.stripped, "ann", { viewport, colorScheme, reducedMotion: "reduce" });
      const troubles = [];
      for (const [name, path] of Object.entries(pages)) {
        const answer = await ann.open(path);
        const size = (await answer.body()).length;
        if (size >= maxPage) troubles.push(`${name}: ${size} bytes`);
        troubles.push(...await faults(ann.page, name));
      }
      await ann.open("endpoints/nothing", 404);
      troubles.push(...await faults(ann.page, "not found"));
      assert.deepEqual(troubles, []);
    });
  }

  await t.test("for all after a form", async t => {
    const ann = await Visitor.come(t, mounts.stripped, "ann", { reducedMotion: "reduce" });
    const troubles = [];
    await ann.open("new");
    await ann.press("Create webhook");
    await ann.sees("things have to be changed");
    troubles.push(...await faults(ann.page, "create, with mistakes"));
    assert.equal(await ann.page.evaluate(() => document.activeElement.id), "errors", "the mistakes do not have the focus");
    await ann.open(pages.test);
    await ann.press("Send conversation.created");
    for (const summary of await ann.page.locator("summary").all()) await summary.click();
    troubles.push(...await faults(ann.page, "report of a test"));
    await ann.open(pages.secret);
    await ann.press("Rotate");
    troubles.push(...await faults(ann.page, "new secret"));
    await ann.open(pages.secret);
    await ann.press("Reveal");
    troubles.push(...await faults(ann.page, "revealed secret"));
    await ann.open(pages.verify);
    await ann.page.getByLabel("Paste the request as it arrived").fill("webhook-id: evt_1\n\n{}");
    await ann.press("Check");
    troubles.push(...await faults(ann.page, "explained request"));
    await ann.open(pages["replay form"]);
    await ann.press("Count");
    troubles.push(...await faults(ann.page, "counted replay"));
    await ann.page.locator("#missing").check();
    await ann.press("Count");
    troubles.push(...await faults(ann.page, "replay of what was missed, without a webhook"));
    assert.deepEqual(troubles, []);
  });

  await t.test("for the operator on a phone", async t => {
    const operator = await Visitor.come(t, mounts.operator, "ann", { viewport: { width: 375, height: 812 } });
    const troubles = [];
    for (const [name, path] of Object.entries(pages)) {
      await operator.open(path);
      troubles.push(...await sideways(operator.page, name));
    }
    assert.deepEqual(troubles, []);
  });

  await t.test("with a keyboard alone", async t => {
    const ann = await Visitor.come(t, mounts.stripped, "ann");
    const { page } = ann;
    // tab goes on until something of a name has the focus, which must be seen.
    const tab = async (role, name) => {
      for (let presses = 0; presses < 120; presses++) {
        await page.keyboard.press("Tab");
        const target = page.getByRole(role, { name });
        if (!await target.evaluateAll(all => all.includes(document.activeElement))) continue;
        const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
        assert.notEqual(outline, "none", `the focus on ${name} is not seen`);
        return;
      }
      assert.fail(`the keyboard does not lead to the ${role} ${name}`);
    };
    const enter = async () => {
      await Promise.all([page.waitForEvent("framenavigated"), page.keyboard.press("Enter")]);
      await page.waitForLoadState("domcontentloaded");
    };
    await ann.open("./");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
    assert.ok(await page.evaluate(() => document.activeElement.getBoundingClientRect().top >= 0), "the skip link is not seen");
    await page.keyboard.press("Enter");
    await tab("link", "Create webhook");
    await enter();
    await tab("textbox", "URL");
    await page.keyboard.type(sink.url + "/keyboard");
    await tab("checkbox", /All events/);
    await page.keyboard.press("Space");
    await tab("radio", /Generate/);
    await page.keyboard.press("ArrowDown");
    assert.equal(await page.evaluate(() => document.activeElement.value), "ed25519");
    await page.keyboard.press("ArrowUp");
    await tab("button", "Create webhook");
    await enter();
    await ann.sees("The webhook has been created");
    await tab("link", "Send a test");
    await enter();
    await tab("button", /^Send conversation/);
    await enter();
    await ann.sees("The test has succeeded");
    await tab("button", "Activate this webhook");
    await enter();
    await ann.sees("it gets events from now on");
    const { endpoints } = await api("ann", "GET", "endpoints");
    assert.equal(endpoints.find(e => e.url.endsWith("/keyboard")).state, "active");
  });
});

// faults are what is wrong with the page that is shown.
async function faults(page, name) {
  const list = [];
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run({ resultTypes: ["violations"] }));
  for (const { id, impact, help, nodes } of violations) {
    if (impact === "serious" || impact === "critical") list.push(`${name}: ${id}, ${help}: ${nodes.slice(0, 3).map(n => n.html).join(" | ")}`);
  }
  list.push(...await sideways(page, name));
  return list;
}

// sideways is what has to be scrolled sideways on the screen, and on the
// smallest: the page, or a part of it that is neither code nor a table.
async function sideways(page, name) {
  const list = [];
  const screen = page.viewportSize();
  for (const width of new Set([screen.width, smallest])) {
    await page.setViewportSize({ width, height: screen.height });
    list.push(...(await page.evaluate(tooWide)).map(fault => `${name}, ${width} px: ${fault}`));
  }
  await page.setViewportSize(screen);
  return list;
}

function tooWide() {
  const { scrollWidth, clientWidth } = document.documentElement;
  const show = e => e.outerHTML.slice(0, 120);
  const all = [...document.querySelectorAll("body *")].filter(e => !e.closest("pre, .scroll, textarea, .unseen"));
  const faults = all.filter(e => e.scrollWidth > e.clientWidth && /auto|scroll/.test(getComputedStyle(e).overflowX)).map(e => `${e.scrollWidth} px in ${e.clientWidth}: ${show(e)}`);
  if (scrollWidth > clientWidth) {
    const widest = all.filter(e => e.getBoundingClientRect().right > clientWidth);
    faults.push(`${scrollWidth} px of ${clientWidth}: ${widest.slice(0, 3).map(show).join(" | ")}`);
  }
  return faults;
}
