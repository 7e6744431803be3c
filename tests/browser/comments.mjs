// Renders comments as GitHub does its Markdown (GFM), and looks at them in a real browser: wide and narrow, in both themes, folded and
// unfolded. Fails where Markdown is left over as text, where a table is none or has rows of another width, on an element that GitHub
// would drop, on a link that is not ours, and on what asks for anything or scrolls the page sideways.
//
//   node comments.mjs CHROMIUM SCREENSHOT_FOLDER COMMENT.md…

import { mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { marked } from 'marked';
import puppeteer from 'puppeteer-core';

const [chromium, folder, ...comments] = process.argv.slice(2);
// Of a comment on a pull request, and of one on a telephone.
const WIDTHS = [860, 380];
const THEMES = { light: ['#1f2328', '#fff', '#d1d9e0'], dark: ['#f0f6fc', '#0d1117', '#3d444d'] };
const ELEMENTS = 'a b blockquote br code details div em h1 h2 h3 h4 hr input kbd li ol p pre span strong sub summary sup table tbody td th thead tr ul';
const problems = [];

mkdirSync(folder, { recursive: true });
const browser = await puppeteer.launch({
  executablePath: chromium,
  args: ['--no-sandbox', '--disable-gpu', '--host-resolver-rules=MAP * ~NOTFOUND'],
});

const page_of = (markdown, [ink, ground, line]) => `<!doctype html><meta charset="utf-8"><style>
  body { margin: 16px; font: 14px/1.5 system-ui, sans-serif; color: ${ink}; background: ${ground}; overflow-wrap: anywhere; }
  table { display: block; width: max-content; max-width: 100%; overflow: auto; border-collapse: collapse; margin-bottom: 16px; }
  th, td { border: 1px solid ${line}; padding: 6px 13px; overflow-wrap: normal; }
  pre { overflow: auto; } h2 { border-bottom: 1px solid ${line}; } details { margin-bottom: 8px; }
</style><body>${marked.parse(markdown, { gfm: true })}`;

function look(elements) {
  const all = [...document.body.querySelectorAll('*')];
  const text = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    if (!walk.currentNode.parentElement.closest('code, pre')) text.push(walk.currentNode.data);
  }
  return {
    strange: [...new Set(all.map((one) => one.localName))].filter((name) => !elements.includes(name)),
    handlers: all.flatMap((one) => [...one.attributes].filter((own) => own.name.startsWith('on')).map((own) => own.name)),
    links: all.filter((one) => one.localName === 'a').map((one) => one.getAttribute('href')),
    tables: all.filter((one) => one.localName === 'table').map((one) => [...one.rows].map((row) => row.cells.length)),
    rows: text.filter((line) => /^\s*\|.*\|/m.test(line) || /\|\s*:?-+:?\s*\|/.test(line)),
    sideways: document.documentElement.scrollWidth - innerWidth,
    heads: document.querySelectorAll('h2').length,
    details: document.querySelectorAll('details').length,
    text: document.body.textContent,
  };
}

function judge(found, markdown, bad) {
  if (found.strange.length) bad(`elements that GitHub drops: ${found.strange}`);
  if (found.handlers.length) bad(`it runs something: ${found.handlers}`);
  for (const link of found.links) {
    if (!markdown.includes(`](${link})`)) bad(`a link that nobody wrote: ${link}`);
    if (/evil/.test(link)) bad(`a link of somebody else: ${link}`);
  }
  const wanted = (markdown.match(/^\|(?: ?:?-+:? ?\|)+$/gm) ?? []).length;
  if (found.tables.length !== wanted) bad(`${found.tables.length} tables of ${wanted}`);
  for (const rows of found.tables) {
    if (rows.length < 2 || rows.some((cells) => cells !== rows[0])) bad(`a table with rows of ${rows} cells`);
  }
  if (found.rows.length) bad(`rows that are in no table: ${found.rows[0].slice(0, 80)}`);
  if (found.heads !== 1 || !/perfgate: /.test(found.text)) bad(`${found.heads} headings`);
  if (found.details !== (markdown.match(/^<details/gm) ?? []).length) bad(`${found.details} folded parts`);
  if (found.text.includes('perfgate-llm:v1')) bad('its marker is to be read');
  if (found.sideways > 0) bad(`scrolls sideways by ${found.sideways} px`);
}

for (const path of comments) {
  const name = basename(path, '.md');
  const markdown = readFileSync(path, 'utf8');
  for (const [theme, colours] of Object.entries(THEMES)) {
    for (const width of WIDTHS) {
      const page = await browser.newPage();
      const bad = (what) => problems.push(`${basename(path)}, ${theme}, ${width} px: ${what}`);
      page.on('console', (message) => bad(`console: ${message.text()}`));
      page.on('dialog', (dialog) => { bad(`it says ${dialog.message()}`); dialog.dismiss(); });
      page.on('request', (request) => bad(`asked for ${request.url()}`));
      await page.setViewport({ width, height: 900 });
      await page.setContent(page_of(markdown, colours));
      judge(await page.evaluate(look, ELEMENTS.split(' ')), markdown, bad);
      await page.screenshot({ path: join(folder, `comment-${name}-${theme}-${width}.png`) });
      await page.evaluate(() => document.querySelectorAll('details').forEach((one) => { one.open = true; }));
      const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (sideways > 0) bad(`unfolded it scrolls sideways by ${sideways} px`);
      await page.screenshot({ path: join(folder, `comment-${name}-${theme}-${width}-open.png`), fullPage: true });
      await page.close();
    }
  }
}
await browser.close();
for (const problem of problems) console.error(problem);
console.log(`${comments.length} comments looked at in ${Object.keys(THEMES).length * WIDTHS.length} ways, ${problems.length} problems`);
process.exit(problems.length || !comments.length ? 1 : 0);
