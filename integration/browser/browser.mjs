// A real browser, and what holds for every page that it shows.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { origin } from "./site.mjs";

let browser;

// launch starts the browser of this process, for as long as the test t runs.
export async function launch(t) {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium" });
  t.after(() => browser.close());
}

// A Visitor is a person with a browser window, who has signed in.
export class Visitor {
  // come opens a window on a mount. At the end of the test t no page may have
  // misbehaved, but for what the test provokes.
  static async come(t, mount, user, { provoked, ...options } = {}) {
    const visitor = new Visitor();
    visitor.troubles = [];
    visitor.provoked = provoked;
    visitor.context = await browser.newContext({
      baseURL: mount,
      httpCredentials: user && { username: user, password: `${user}-password`, origin },
      viewport: { width: 1280, height: 900 },
      permissions: ["clipboard-read", "clipboard-write"],
      ...options,
    });
    visitor.context.setDefaultTimeout(60_000);
    visitor.watch();
    visitor.page = await visitor.context.newPage();
    t.after(async () => {
      await visitor.context.close();
      visitor.wasUntroubled();
    });
    return visitor;
  }

  // watch notes what no page may do.
  watch() {
    const note = text => this.troubles.push(text);
    this.context.addInitScript(() => addEventListener("securitypolicyviolation", e =>
      console.error(`content policy: ${e.violatedDirective} stopped ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`)));
    this.context.on("request", request => {
      const url = request.url();
      if (!url.startsWith(origin + "/") && !url.startsWith("data:")) note(`${request.frame().url()} asks another site for ${url}`);
    });
    this.context.on("console", message => {
      // The browser writes this of a page that is answered with an error, which
      // the tests ask for.
      const { url } = message.location();
      if (message.text().startsWith("Failed to load resource") && url === message.page()?.url()) return;
      if (["error", "warning"].includes(message.type())) note(`the console says on ${message.page()?.url()}: ${message.text()}`);
    });
    this.context.on("weberror", error => note(`an exception: ${error.error().stack}`));
    this.context.on("dialog", dialog => {
      note(`a dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    this.context.on("page", page => page.on("crash", () => note(`${page.url()} has crashed`)));
  }

  wasUntroubled() { assert.deepEqual(this.troubles.filter(text => !this.provoked?.test(text)), []); }

  // open shows a page below the mount, which must be answered with a status.
  async open(path, status = 200) {
    const answer = await this.page.goto(path);
    if (answer.status() !== status) assert.fail(`${answer.url()} is answered ${answer.status()}, not ${status}: ${await answer.text()}`);
    return answer;
  }

  // press presses the button of a name, or follows the link of one, and waits
  // for the page that it leads to.
  async press(name, within = "body") {
    const control = this.page.locator(within).getByRole("button", { name, exact: true })
      .or(this.page.locator(within).getByRole("link", { name, exact: true })).first();
    await Promise.all([this.page.waitForEvent("framenavigated"), control.click()]);
    await this.page.waitForLoadState("domcontentloaded");
  }

  // sees waits for a text in the main part of the page.
  async sees(...texts) {
    for (const text of texts) await this.page.locator("main").getByText(text).filter({ visible: true }).first().waitFor();
  }

  // main is the text of the page's main part.
  main() { return this.page.locator("main").innerText(); }

  // eventuallySees loads the page again until a text is in it.
  async eventuallySees(text) {
    for (const end = Date.now() + 60_000; !(await this.main()).includes(text); await this.page.reload()) {
      assert.ok(Date.now() < end, `gave up waiting for ${text}: ${await this.main()}`);
    }
  }
}
