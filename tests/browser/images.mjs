// Pictures for the documents: the top of each page as it opens, and the charts of the ladder.
//
//   node images.mjs CHROMIUM FOLDER PAGE.html…

import { basename, join, resolve } from 'node:path';
import puppeteer from 'puppeteer-core';

const [chromium, folder, ...pages] = process.argv.slice(2);
const THEMES = { regression: 'light', pass: 'dark', inconclusive: 'light', incomparable: 'dark', 'no-baseline': 'light' };
const browser = await puppeteer.launch({ executablePath: chromium, args: ['--no-sandbox', '--disable-gpu'] });

for (const path of pages) {
  const name = basename(path, '.html');
  const page = await browser.newPage();
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: THEMES[name] ?? 'light' }]);
  await page.setViewport({ width: 1440, height: 900 });
  await page.goto(`file://${resolve(path)}`);
  const file = join(folder, `report-${name}.png`);
  const charts = name === 'ladder' && await page.$('.ladders');
  if (charts) await charts.screenshot({ path: file });
  else await page.screenshot({ path: file, clip: { x: 130, y: 0, width: 1180, height: 900 } });
  await page.close();
}
await browser.close();
