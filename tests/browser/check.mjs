// Opens pages that perfgate wrote in a real browser, as a reader would: from a file, with no network, in both themes, wide and
// narrow. Fails on anything on the console, on a request to anywhere, on a page that scrolls sideways, on what axe-core finds
// against WCAG 2.1 AA, where one label of a chart covers another, on a link to a file or a place that is not there, and where sorting,
// filtering or reading a chart does not work.
//
//   node check.mjs CHROMIUM SCREENSHOT_FOLDER PAGE.html…

import { existsSync, readFileSync, mkdirSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { createRequire } from 'node:module';
import puppeteer from 'puppeteer-core';

const [chromium, folder, ...pages] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const THEMES = ['light', 'dark'];
const WIDTHS = [1440, 380];
// A taller page is pictured at its top alone, and axe-core looks at the first of its rows, which are like the others.
const MOST_HEIGHT = 16000;
const MOST_ROWS = 60;
const problems = [];
const slowest = new Map();

mkdirSync(folder, { recursive: true });
const browser = await puppeteer.launch({
  executablePath: chromium,
  args: ['--no-sandbox', '--disable-gpu', '--host-resolver-rules=MAP * ~NOTFOUND'],
});

async function open(path, theme, width) {
  const page = await browser.newPage();
  const bad = (what) => problems.push(`${basename(path)}, ${theme}, ${width} px: ${what}`);
  page.on('console', (message) => bad(`console: ${message.text()}`));
  page.on('pageerror', (error) => bad(`error: ${error.message}`));
  page.on('request', (request) => request.url().startsWith('file:') || bad(`asked for ${request.url()}`));
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
  await page.setViewport({ width, height: 900 });
  await page.goto(`file://${resolve(path)}`);
  return [page, bad];
}

async function look(page, bad, name) {
  const state = await page.evaluate(() => ({
    ready: document.documentElement.dataset.ready,
    height: document.documentElement.scrollHeight,
    covered: [...document.querySelectorAll('svg')].filter((svg) => svg.checkVisibility()).flatMap((svg) => {
      const boxes = [...svg.querySelectorAll('text')].map((text) => ({ text: text.textContent, box: text.getBBox() }));
      const apart = (one, other) => one.x + one.width <= other.x + 1 || other.x + other.width <= one.x + 1
        || one.y + one.height <= other.y + 4 || other.y + other.height <= one.y + 4;
      return boxes.flatMap((one, place) => boxes.slice(place + 1)
        .filter((other) => one.text && other.text && !apart(one.box, other.box)).map((other) => `"${one.text}" and "${other.text}"`));
    }),
    sideways: document.documentElement.scrollWidth - innerWidth,
    unfinished: [...document.querySelectorAll('svg *')].filter((node) =>
      [...node.attributes].some((attribute) => /NaN|Infinity|undefined/.test(attribute.value))).length,
  }));
  if (!state.ready) bad('its script did not run to the end');
  else slowest.set(name, Number(state.ready));
  if (state.covered.length) bad(`labels over one another: ${state.covered.slice(0, 3).join(', ')}`);
  if (state.sideways > 0) bad(`scrolls sideways by ${state.sideways} px`);
  if (state.unfinished) bad(`${state.unfinished} marks without a place`);
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: state.height < MOST_HEIGHT });
}

// In a context of its own, which the page's policy does not reach.
async function accessible(page, bad) {
  await page.setBypassCSP(true);
  await page.reload();
  await page.evaluate(axe);
  const found = await page.evaluate((most) => {
    document.querySelectorAll(`tbody tr:nth-child(n+${most}), details.cell:nth-of-type(n+4)`).forEach((row) => row.remove());
    return globalThis.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] });
  }, MOST_ROWS);
  for (const rule of found.violations) {
    const where = rule.nodes.slice(0, 3).map((node) => node.target.join(' '));
    bad(`axe: ${rule.id}: ${rule.help} (${where.join('; ')})`);
  }
}

async function sorts(page, bad) {
  const order = () => page.$$eval('tr.check', (rows) => rows.map((row) => row.cells[3].dataset.value));
  const head = await page.$('table.checks th:nth-child(4) button');
  // A narrow page shows the checks as cards, without their heads.
  if (!head || !(await head.isVisible())) return;
  for (const sign of [1, -1]) {
    await head.click();
    const known = (await order()).filter((value) => value !== '').map(Number);
    const rises = known.every((value, place) => place === 0 || sign * (value - known[place - 1]) >= 0);
    if (!rises) bad(`sorted by change, ${sign > 0 ? 'rising' : 'falling'}: ${known}`);
  }
  const lost = await page.$$eval('tr.reason', (rows) => rows.filter((row) => row.previousElementSibling?.className !== 'check').length);
  if (lost) bad(`${lost} checks lost their reason`);
}

// The rows of a profile are sorted, and what makes them add up stays below them.
async function sortsRows(page, bad) {
  const table = await page.$('table.sorted');
  if (!table) return;
  const state = () => table.$$eval('tbody tr', (rows) => rows.map((row) => [Number(row.cells[4].dataset.value), 'last' in row.dataset]));
  const before = (await state()).filter(([, isLast]) => isLast);
  for (const sign of [1, -1]) {
    await (await table.$('th:nth-child(5) button')).click();
    const rows = await state();
    const sorted = rows.filter(([, isLast]) => !isLast).map(([value]) => value);
    if (!sorted.every((value, place) => place === 0 || sign * (value - sorted[place - 1]) >= 0)) bad(`rows of a profile: ${sorted}`);
    if (JSON.stringify(rows.slice(-before.length)) !== JSON.stringify(before)) bad('the sum of a profile left its place');
  }
}

async function filters(page, bad) {
  const shown = () => page.$$eval('tr.check', (rows) => rows.filter((row) => row.offsetHeight > 0).length);
  const [all, open] = await page.$$eval('tr.check', (rows) =>
    [rows.length, rows.filter((row) => 'problem' in row.dataset).length]);
  const box = await page.$('.filter input');
  if (!box) {
    if (open > 0 && open < all) bad('no filter, though some checks passed');
    return;
  }
  await box.click();
  if (await shown() !== open) bad(`${await shown()} checks after "only problems", ${open} of ${all} are`);
  await box.click();
  if (await shown() !== all) bad('the filter does not let go');
}

async function reads(page, bad) {
  const chart = await page.$('details[open] svg.spread');
  if (!chart) return;
  await chart.evaluate((node) => node.focus());
  for (let times = 0; times < 200; times += 1) await page.keyboard.press('ArrowRight');
  const said = await page.$eval('details[open] svg.spread + output', (node) => node.textContent);
  if (!/^within [\d.e+]+ m?s: .*\b\d/.test(said)) bad(`a curve says "${said}"`);
}

// A course tells the session that the arrow keys went to, the newest first.
async function recalls(page, bad) {
  const chart = await page.$('details[open] svg.course');
  if (!chart) return;
  await chart.evaluate((node) => node.focus());
  await page.keyboard.press('ArrowLeft');
  const [said, rows] = await chart.evaluate((node) => [
    node.nextElementSibling.textContent,
    [...node.closest('figure').querySelectorAll('tbody tr')].map((row) => row.cells[0].textContent),
  ]);
  if (!said.startsWith(rows.at(-1)) || !/ · .*\d/.test(said)) bad(`a course says "${said}" of ${rows.at(-1)}`);
}

// Pages lead to one another, and a link to a chart opens the cell that it lies in.
async function leads(page, path, bad) {
  const links = await page.$$eval('a[href]', (nodes) => nodes.map((node) => node.getAttribute('href')));
  for (const link of links.filter((link) => !/^https?:/.test(link))) {
    const [file, place] = link.split('#');
    const target = file ? join(dirname(path), file) : path;
    if (!existsSync(target)) bad(`leads to ${link}`);
    else if (place && !readFileSync(target, 'utf8').includes(`id="${place}"`)) bad(`leads to ${link}, of which there is no place`);
  }
  const link = await page.$('a[href*="#cell-"]');
  if (!link) return;
  const place = (await link.evaluate((node) => node.hash)).slice(1);
  await Promise.all([link.evaluate((node) => node.click()), page.waitForFunction((id) => location.hash === `#${id}`, {}, place)]);
  await page.waitForFunction(() => 'ready' in document.documentElement.dataset);
  const isOpen = await page.evaluate((id) => document.getElementById(id)?.closest('details').open, place);
  if (!isOpen) bad(`the chart ${place} stays folded`);
  await page.goto(`file://${resolve(path)}`);
}

for (const path of pages) {
  for (const theme of THEMES) {
    for (const width of WIDTHS) {
      const [page, bad] = await open(path, theme, width);
      const name = [basename(dirname(resolve(path))), basename(path, '.html')].join('-').replace(/^render-/, '');
      await look(page, bad, `${name}-${theme}-${width}`);
      await sorts(page, bad);
      await sortsRows(page, bad);
      await filters(page, bad);
      await reads(page, bad);
      await recalls(page, bad);
      await leads(page, path, bad);
      await accessible(page, bad);
      await page.close();
    }
  }
}
await browser.close();
problems.forEach((problem) => console.error(problem));
// From the start of the navigation until the script had run to its end: told, and never a reason to fail.
const times = [...slowest].sort((one, other) => other[1] - one[1]).slice(0, 4);
console.log(`slowest to be ready: ${times.map(([name, ms]) => `${name} ${ms} ms`).join(', ')}`);
console.log(`${pages.length} pages, ${THEMES.length} themes, ${WIDTHS.length} widths: ${problems.length} problems; pictures in ${folder}`);
process.exit(problems.length ? 1 : 0);
