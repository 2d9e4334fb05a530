// Walks through every view of the page as a reader does, and says what is wrong: nothing, or a line for each thing.
// node walk.mjs ADDRESS MODULES SCREENSHOTS
import { createRequire } from "node:module";
import { readFileSync, mkdirSync } from "node:fs";

const [address, modules, screenshots] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const wrong = [];
let looked = 0;

const check = (holds, what) => { if (!holds) wrong.push(what); };

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

// A page whose complaints are ours, and from which nothing goes elsewhere.
const open = async (options, name) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.on("console", (it) => {
    // What is asked for wrongly is answered as such; a browser says so.
    const refused = / status of (400|404) /.test(it.text()) && it.location().url === page.url();
    if (["error", "warning"].includes(it.type()) && !refused) wrong.push(`${name} ${page.url()}: ${it.text()}`);
  });
  page.on("pageerror", (error) => wrong.push(`${name} ${page.url()}: ${error}`));
  page.on("dialog", (it) => { wrong.push(`${name} ${page.url()}: a name became script`); it.dismiss(); });
  page.on("request", (it) => check(it.url().startsWith(address), `${name} asks ${it.url()}`));
  return page;
};

const judged = async (page, what) => {
  const result = await page.evaluate(async (source) => {
    (0, eval)(source);
    const { violations, passes } = await window.axe.run(document);
    const named = (it) => `${it.id} at ${it.nodes.slice(0, 3).map((node) => node.target).join(" and ")}`;
    return { violations: violations.map(named), passes: passes.length };
  }, axe);
  check(result.passes > 10, `${what}: axe looked at ${result.passes} rules only`);
  for (const violation of result.violations) wrong.push(`${what}: ${violation}`);
};

const views = async (page) => {
  await page.goto(`${address}/certificates`);
  const story = await page.locator("tr[data-row] a").first().getAttribute("href");
  await page.goto(`${address}/certificates?source=hostile`);
  const hostile = await page.locator("tr[data-row] a").first().getAttribute("href");
  return {
    overview: "/", list: "/certificates", hostile: "/certificates?source=hostile", hostile_story: hostile, story,
    filtered: "/certificates?status=active&ends_from=2020-01-01&q=d0", none: "/certificates?q=nothing-like-it",
    undated: "/certificates?undated=true", sources: "/sources", source: "/sources/iot", notifications: "/notifications", snoozes: "/snoozes", link: "/snooze?token=none", unknown: "/certificates/none",
    mistaken: "/certificates?status=odd",
  };
};

const look = async (page, name, view, path) => {
  await page.goto(address + path);
  looked += 1;
  const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  check(tooWide <= 0, `${name} ${view}: ${tooWide} px too wide`);
  await page.screenshot({ path: `${screenshots}/${view}-${name}.png` });
};

const everyView = async () => {
  for (const colorScheme of ["light", "dark"]) {
    for (const [width, locale] of [[1280, "en-GB"], [390, "en-GB"], [390, "zh-CN"], [2560, "zh-CN"]]) {
      const name = `${colorScheme}-${width}-${locale}`;
      const page = await open({ colorScheme, locale, viewport: { width, height: 900 } }, name);
      for (const [view, path] of Object.entries(await views(page))) {
        await look(page, name, view, path);
        if (width < 2000) await judged(page, `${name} ${view}`);
      }
      await page.context().close();
    }
  }
};

// What is called like markup is text, to the letter.
const hostileNames = async () => {
  const page = await open({}, "hostile names");
  await page.goto(`${address}/certificates?source=hostile&limit=100`);
  const names = await page.locator("tr[data-row] td.name a").allInnerTexts();
  check(names.some((name) => name.includes("<script>alert(1)</script>")), `not in ${JSON.stringify(names)}`);
  check(!names.some((name) => name.includes("\u202e")), "a name turns the line around");
  check((await page.locator("main script, main img, main iframe").count()) === 0, "a name became an element");
  await page.context().close();
};

const keysOnly = async () => {
  const page = await open({}, "keys");
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("name") ?? document.activeElement?.getAttribute("href"));
  await page.goto(`${address}/`);
  await page.keyboard.press("Tab");
  check((await focused()) === "#main", "the first stop leads to the content");
  await page.keyboard.press("/");
  check((await focused()) === "q", "/ goes to the search");
  await page.keyboard.type("d0");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/certificates?q=d0");
  await page.keyboard.press("j");
  const first = await focused();
  await page.keyboard.press("j");
  check((await focused()) !== first, "j goes on");
  await page.keyboard.press("k");
  check((await focused()) === first, "k goes back");
  await page.keyboard.press("Enter");
  await page.waitForURL(`**${first}`);
  await page.keyboard.press("?");
  check(await page.locator("dialog#keys").isVisible(), "? shows the keys");
  await page.keyboard.press("Escape");
  check(!(await page.locator("dialog#keys").isVisible()), "Escape closes them");
  await page.context().close();
};

const withScript = async () => {
  const page = await open({ timezoneId: "Asia/Shanghai" }, "script");
  await page.clock.install();
  await page.goto(`${address}/certificates?status=active`);
  const time = page.locator("tr[data-row] time").first();
  const [shown, machine, title] = [await time.innerText(), await time.getAttribute("datetime"), await time.getAttribute("title")];
  const local = new Date(Date.parse(machine) + 8 * 3600 * 1000).toISOString().slice(0, 16).replace("T", " ");
  check(shown === local && title.endsWith("UTC"), `local time: ${shown} for ${machine}, ${title}`);
  const again = page.waitForRequest((it) => it.url().endsWith("/certificates?status=active"), { timeout: 20000 });
  await page.clock.fastForward(61000);
  await again.catch(() => wrong.push("the list does not refresh itself"));
  await page.locator("select[name=kind]").selectOption("device");
  await page.getByRole("button", { name: "Show" }).click();
  await page.waitForURL("**/certificates?kind=device&status=active").catch(() => wrong.push(`${page.url()} says nothing too much`));
  await page.context().close();
};

const withoutScript = async () => {
  const page = await open({ javaScriptEnabled: false }, "no script");
  await page.goto(`${address}/`);
  await page.locator("header input[name=q]").fill("d0");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/certificates?q=d0");
  await page.goto(`${address}/certificates?limit=20`);
  const first = await page.locator("td.name a").first().getAttribute("href");
  await page.locator("a[rel=next]").click();
  await page.waitForURL("**cursor=**");
  check((await page.locator("td.name a").first().getAttribute("href")) !== first, "the next page is another");
  await page.locator("a.switch").click();
  await page.waitForURL("**cursor=**");
  check((await page.locator("html").getAttribute("lang")) === "zh-CN", "the switch changes the language");
  await page.goto(`${address}/`);
  check((await page.locator("html").getAttribute("lang")) === "zh-CN", "the choice is kept");
  await page.context().close();
};

mkdirSync(screenshots, { recursive: true });
for (const walk of [everyView, hostileNames, keysOnly, withScript, withoutScript]) {
  await walk().catch((error) => wrong.push(`${walk.name}: ${error}`));
}
await browser.close();
console.log(wrong.length ? wrong.join("\n") : `${looked} views`);
process.exitCode = wrong.length ? 1 : 0;
