import test from "node:test";
import { launch } from "./browser.mjs";
import { mounts } from "./site.mjs";
import { walk } from "./walk.mjs";

test("without JavaScript a webhook", async t => {
  await launch(t);
  await walk(t, mounts.prefixed, false);
});
