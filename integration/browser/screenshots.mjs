// Pictures of the pages for the documentation, which are the same each time.
import test from "node:test";
import { join } from "node:path";
import { Visitor, launch } from "./browser.mjs";
import { origin } from "./site.mjs";

const { SCREENSHOTS: folder, PAGES_ENDPOINT: endpoint, PAGES_DELIVERY: delivery } = process.env;
const mount = `${origin}/settings/webhooks/`;

// views are what there are pictures of, each with how to get there.
const views = {
  "empty": visitor => visitor.open(`${origin}/nobody/`),
  "webhooks": visitor => visitor.open("./"),
  "create": async visitor => {
    await visitor.open("new");
    const { page } = visitor;
    await page.getByLabel("Description").fill("Customer relations");
    await page.getByRole("checkbox", { name: /conversation\.\*/ }).check();
    await page.getByRole("checkbox", { name: /^message\.created/ }).check();
    // Not typed, lest a host be looked up that is there for nobody but the picture.
    await page.getByLabel("URL", { exact: true }).evaluate(field => { field.value = "https://crm.example.com/webhooks"; });
  },
  "mistakes": async visitor => {
    await visitor.open("new");
    await visitor.page.getByLabel("URL", { exact: true }).fill("http://169.254.169.254/");
    await visitor.press("Create webhook");
  },
  "webhook": visitor => visitor.open(`endpoints/${endpoint}`),
  "test": async visitor => {
    await visitor.open(`endpoints/${endpoint}/test`);
    await visitor.press(/^Send /);
    await visitor.page.evaluate(() => scrollTo(0, 0));
  },
  "secret": async visitor => {
    await visitor.open(`endpoints/${endpoint}/secret`);
    await visitor.press("Rotate");
  },
  "verify": visitor => visitor.open(`endpoints/${endpoint}/verify`),
  "edit": visitor => visitor.open(`endpoints/${endpoint}/edit`),
  "delete": visitor => visitor.open(`endpoints/${endpoint}/delete`),
  "deliveries": visitor => visitor.open("deliveries"),
  "delivery": visitor => visitor.open(`deliveries/${delivery}`),
  "overview": visitor => visitor.open("overview"),
  "replay": async visitor => {
    await visitor.open("replay?status=pending");
    await visitor.press("Count");
  },
  "replays": visitor => visitor.open("replays"),
  "not-found": visitor => visitor.open("endpoints/ep_0", 404),
};

const screens = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };

test("pictures", async t => {
  await launch(t);
  for (const [screen, viewport] of Object.entries(screens)) {
    for (const colorScheme of ["light", "dark"]) {
      await t.test(`on a ${colorScheme} ${screen}`, async t => {
        const visitor = await Visitor.come(t, mount, null, { viewport, colorScheme, deviceScaleFactor: 1, reducedMotion: "reduce" });
        for (const [name, go] of Object.entries(views)) {
          await go(visitor);
          await visitor.page.evaluate(settle);
          await visitor.page.mouse.move(0, 0);
          await visitor.page.screenshot({ path: join(folder, `${name}-${screen}-${colorScheme}.png`), animations: "disabled", caret: "hide" });
        }
      });
    }
  }
});

// settle puts what is made at random, and so differs from one run to the next,
// in the form that examples have.
function settle() {
  document.activeElement?.blur();
  scrollTo(0, 0);
  const replace = text => text
    .replace(/127\.0\.0\.1:\d+/g, "127.0.0.1:8082")
    .replace(/whsec_[A-Za-z0-9+/]{20,}=*/g, "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
    .replace(/\b(ep|dlv|evt|rpl)_[0-9a-f]{20,}/g, (id, kind) => `${kind}_0192f0c1a2b37c4d8e5f60718293a4b5`.slice(0, id.length));
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) walker.currentNode.nodeValue = replace(walker.currentNode.nodeValue);
  for (const field of document.querySelectorAll("input")) if (field.type !== "checkbox" && field.type !== "radio" && field.value) field.value = replace(field.value);
}
