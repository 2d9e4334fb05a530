// Draws messages as their services do, on a phone, so that a person can look at them; and says what is not readable.
// node messages.mjs MESSAGES MODULES PICTURES
import { createRequire } from "node:module";
import { readFileSync, mkdirSync } from "node:fs";

const [messages, modules, pictures] = process.argv.slice(2);
const { chromium } = createRequire(`${modules}/`)("playwright-core");
const wrong = [];

const escaped = (text) => String(text).replace(/[&<>"]/g, (it) => `&#${it.charCodeAt(0)};`);
const plain = (text) => escaped(text).replaceAll("\n", "<br>");

// What is escaped by a backslash is kept apart while marks are read.
const markdown = (text, bold) => {
  const kept = [];
  const hidden = String(text).replace(/\\([^\w\s])/g, (_, mark) => `\u0001${kept.push(mark) - 1}\u0002`);
  return plain(hidden)
    .replace(bold, "<b>$1</b>")
    .replace(/\[([^\]]+)\]\((https?:[^)]+)\)/g, '<a href="$2">$1</a>')
    .replace(/(^|<br>)- /g, "$1• ")
    .replace(/\u0001(\d+)\u0002/g, (_, at) => escaped(kept[at]));
};
const stars = /\*\*(.+?)\*\*/g;
const star = /\*(.+?)\*/g;

const pairs = (facts) => `<dl>${facts.map(([name, value, wide]) =>
  `<div class="${wide ? "wide" : ""}"><dt>${name}</dt><dd>${value}</dd></div>`).join("")}</dl>`;
const button = (text, url) => `<a class=button href="${escaped(url)}">${plain(text)}</a>`;
const small = (text) => `<p class=small>${plain(text)}</p>`;

const slackText = (it) => it.type === "mrkdwn" ? markdown(it.text, star) : plain(it.text);
const slackRich = (it) => ({
  rich_text: () => it.elements.map(slackRich).join(""),
  rich_text_list: () => `<ul>${it.elements.map((one) => `<li>${slackRich(one)}</li>`).join("")}</ul>`,
  rich_text_section: () => it.elements.map(slackRich).join(""),
  text: () => it.style?.bold ? `<b>${plain(it.text)}</b>` : plain(it.text),
  link: () => `<a href="${escaped(it.url)}">${plain(it.text ?? it.url)}</a>`,
})[it.type]();
const slackBlock = (it) => ({
  header: () => `<h2>${plain(it.text.text)}</h2>`,
  section: () => (it.text ? `<p>${slackText(it.text)}</p>` : "")
    + (it.fields ? `<div class=fields>${it.fields.map((one) => `<p>${slackText(one)}</p>`).join("")}</div>` : ""),
  actions: () => it.elements.map((one) => button(one.text.text, one.url)).join(""),
  context: () => it.elements.map((one) => small(one.text)).join(""),
  rich_text: () => slackRich(it),
  divider: () => "<hr>",
})[it.type]();
const slack = ({ blocks, attachments }) => blocks.map(slackBlock).join("") + attachments.map((it) =>
  `<div class=bar style="border-color:${it.color}">${it.blocks.map(slackBlock).join("")}</div>`).join("");

const feishuText = (it) => it.tag === "lark_md" ? markdown(it.content, stars) : plain(it.content);
const feishuElement = (it) => ({
  div: () => (it.text ? `<p>${feishuText(it.text)} ${it.extra ? button(it.extra.text.content, it.extra.url) : ""}</p>` : "")
    + (it.fields ? `<div class=fields>${it.fields.map((one) =>
      `<p class="${one.is_short ? "" : "wide"}">${feishuText(one.text)}</p>`).join("")}</div>` : ""),
  action: () => it.actions.map((one) => button(one.text.content, one.url)).join(""),
  note: () => it.elements.map((one) => small(one.content)).join(""),
  hr: () => "<hr>",
})[it.tag]();
const FEISHU = { red: "#f54a45", orange: "#ff8800", blue: "#3370ff", green: "#34c724", grey: "#8f959e" };
const feishu = ({ card }) => `<h2 class=head style="background:${FEISHU[card.header.template]}">${
  plain(card.header.title.content)}</h2>${card.elements.map(feishuElement).join("")}`;

const discord = ({ embeds }) => embeds.map((it) =>
  `<div class=bar style="border-color:#${it.color.toString(16).padStart(6, "0")}"><h2><a href="${escaped(it.url ?? "#")}">${
    markdown(it.title, stars)}</a></h2><p>${it.description ? markdown(it.description, stars) : ""}</p>${
    pairs(it.fields.map((one) => [markdown(one.name, stars), markdown(one.value, stars), !one.inline]))}${
    it.footer ? small(it.footer.text) : ""}</div>`).join("");

const TEAMS = { attention: "#fde7e9", warning: "#fff4ce", accent: "#e5f1fb", good: "#dff6dd", emphasis: "#eee" };
const teamsElement = (it) => ({
  Container: () => `<div class=head style="background:${TEAMS[it.style] ?? "none"}">${it.items.map(teamsElement).join("")}</div>`,
  TextBlock: () => it.isSubtle ? small(it.text) : `<p class="${it.weight ?? ""}">${markdown(it.text, stars)}</p>`,
  FactSet: () => pairs(it.facts.map((one) => [markdown(one.title, stars), markdown(one.value, stars), true])),
})[it.type]();
const teams = ({ attachments: [{ content }] }) => content.body.map(teamsElement).join("")
  + content.actions.map((it) => button(it.title, it.url)).join("");

const STYLE = `
  body { margin: 0; padding: 12px; width: 366px; font: 15px/1.4 "Noto Sans CJK SC", "Noto Sans", sans-serif; color: #1d1c1d; background: #f4f4f4 }
  article { background: #fff; border: 1px solid #ddd; border-radius: 8px; padding: 10px; margin-bottom: 12px; overflow-wrap: anywhere }
  h2 { font-size: 16px; margin: 0 0 6px } .head { margin: -10px -10px 8px; padding: 8px 10px; border-radius: 8px 8px 0 0; color: #fff }
  .teams .head { color: #242424 } .Bolder { font-weight: bold; margin: 0 }
  .bar { border-left: 4px solid; padding-left: 8px } p { margin: 0 0 6px } ul { padding-left: 18px; margin: 0 0 6px }
  .fields, dl { display: grid; grid-template-columns: 1fr 1fr; gap: 2px 12px; margin: 0 0 6px } .wide { grid-column: 1 / 3 }
  dt { font-size: 12px; color: #555 } dd { margin: 0 0 4px } .teams dl div { display: grid; grid-template-columns: 8em 1fr } .small { font-size: 12px; color: #666; margin: 4px 0 0 }
  .button { display: inline-block; border: 1px solid #bbb; border-radius: 4px; padding: 2px 10px; font-size: 13px; color: inherit; text-decoration: none }`;

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
const page = await browser.newPage({ viewport: { width: 390, height: 844 } });
mkdirSync(pictures, { recursive: true });
const draw = { slack, feishu, discord, teams };
const rooms = new Map();
for (const it of JSON.parse(readFileSync(messages, "utf8"))) {
  const room = `${it.service}-${it.language}`;
  rooms.set(room, [...(rooms.get(room) ?? []), it]);
}
const article = (it) => `<article class=${it.service}>${draw[it.service](it.body)}</article>`;
const shown = async (name, said) => {
  await page.setContent(`<style>${STYLE}</style>${said}`);
  await page.screenshot({ path: `${pictures}/message-${name}.png`, fullPage: true });
};
for (const [room, said] of rooms) {
  await shown(room, said.map(article).join(""));
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  if (wide > 390) wrong.push(`${room}: ${wide} pixels wide`);
  const text = await page.evaluate(() => document.body.innerText);
  for (const mark of ["undefined", "**", "\\", "[object"]) if (text.includes(mark)) wrong.push(`${room}: shows ${mark}`);
}
// What the README shows: each service beside the others.
await page.setViewportSize({ width: 1600, height: 600 });
const columns = ["slack-en", "feishu-zh", "discord-en", "teams-en"].map((room) => {
  const said = rooms.get(room).filter((it) => ["single", "list", "renewed"].includes(it.sample));
  return `<section>${said.map(article).join("")}</section>`;
});
await shown("services", `<style>body { display: flex; gap: 16px; width: auto } section { width: 380px }</style>${columns.join("")}`);
await browser.close();
for (const it of wrong) console.log(it);
console.log(`${rooms.size} rooms drawn`);
process.exit(wrong.length ? 1 : 0);
