// node picture.mjs UI TRACE PNG: opens the timeline of samples/developers-hour.jsonl in the Perfetto UI in the folder UI, goes to
// the build in which clang crashed, selects it, and takes the picture that README.md shows. `make picture` runs this.

import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { createRequire } from 'node:module';

const [ui, trace, png] = process.argv.slice(2);
// Installed by `make picture`, and so not beside this file.
const puppeteer = createRequire(path.join(process.cwd(), 'x.js'))(process.env.PUPPETEER);

const types = { '.css': 'text/css', '.html': 'text/html', '.js': 'text/javascript', '.json': 'application/json',
  '.svg': 'image/svg+xml', '.wasm': 'application/wasm', '.woff2': 'font/woff2' };
const server = http.createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://localhost');
  const file = pathname === '/hour.pftrace' ? trace : path.join(ui, '..', pathname === '/' ? 'index.html' : pathname);
  fs.readFile(file, (error, bytes) => {
    response.writeHead(error ? 404 : 200, { 'content-type': types[path.extname(file)] ?? 'application/octet-stream' });
    response.end(bytes);
  });
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const origin = `http://127.0.0.1:${server.address().port}`;

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--disable-gpu'], defaultViewport: { width: 1400, height: 900 },
});
const page = await browser.newPage();
const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
const find = (text) => page.evaluateHandle((text) => [...document.querySelectorAll('*')]
  .find((element) => element.children.length === 0 && element.textContent.trim() === text), text);
const click = async (text) => {
  await (await find(text)).asElement().click();
  await wait(1500);
};

// Nanoseconds since midnight.
const time = (hours, minutes, seconds) => (hours * 60 + minutes) * 60e9 + seconds * 1e9;
const url = encodeURIComponent(`${origin}/hour.pftrace`);
await page.goto(`${origin}/#!/?url=${url}&visStart=${time(9, 10, 12.888)}&visEnd=${time(9, 10, 12.95)}`);
await page.waitForSelector('.pf-track', { timeout: 60_000 });
await wait(3000);
await click('menu');
await click('unfold_more');
await click('System');
// Spans are drawn on a canvas: this is where the one that crashed is.
await page.mouse.click(1030, 465);
await wait(2500);
await page.mouse.move(700, 20);
await (await find('Arguments')).evaluate((element) => element.scrollIntoView({ block: 'start' }));
await wait(1000);
await page.screenshot({ path: png });
await browser.close();
server.close();
