import { writeFile } from 'node:fs/promises';
import type { Page } from '@playwright/test';
import { test } from '../fixtures/app';
import { elastic } from '../fixtures/people';
import { Site } from '../pages/site';

const KEYS = 25;
const FIRST_LOADS = 20;
const CLICKS = 50;

/** A row for the table of `cargo xtask bench`. */
interface Row {
  what: string;
  milliseconds: number;
  goal: string;
}

test('what a person waits for', async ({ app, browser }) => {
  for (let number = 0; number < KEYS; number += 1) {
    await app.engine.createAgentKey(`service-${number}`, ['event:write', 'config_agent:read']);
  }
  const context = await browser.newContext();
  const site = new Site(await context.newPage(), app.url, true);
  await site.signIn(elastic(app));
  const session = await context.storageState();

  const interactive: number[] = [];
  for (let load = 0; load < FIRST_LOADS; load += 1) {
    // Every context begins with an empty cache.
    const empty = await browser.newContext({ storageState: session });
    const page = await empty.newPage();
    await noteHydration(page);
    await new Site(page, app.url, true).agentKeys.open();
    interactive.push(await page.evaluate(() => Number(document.documentElement.dataset['interactiveAfter'])));
    await empty.close();
  }

  const details: number[] = [];
  for (let click = 0; click < CLICKS; click += 1) {
    await site.agentKeys.open();
    details.push(await timeToDetails(site.page, `service-${click % KEYS}`));
  }
  await context.close();

  const rows: Row[] = [
    { what: 'browser: list interactive, empty cache, p50', milliseconds: percentile(interactive, 50), goal: '' },
    { what: 'browser: list interactive, empty cache, p95', milliseconds: percentile(interactive, 95), goal: '≤ 1000 ms' },
    { what: 'browser: click in the list to details, p50', milliseconds: percentile(details, 50), goal: '' },
    { what: 'browser: click in the list to details, p95', milliseconds: percentile(details, 95), goal: '≤ 100 ms' },
  ];
  const file = process.env['AGENT_KEYS_MEASURED'];
  if (file === undefined) console.table(rows);
  else await writeFile(file, JSON.stringify(rows));
});

/** Notes on the document how long after the beginning of the navigation it answers to clicks by script. */
async function noteHydration(page: Page): Promise<void> {
  await page.addInitScript(() => {
    new MutationObserver((_, observer) => {
      const { dataset } = document.documentElement;
      if (dataset['hydrated'] === undefined) return;
      observer.disconnect();
      dataset['interactiveAfter'] = String(performance.now());
    }).observe(document, { subtree: true, attributes: true, attributeFilter: ['data-hydrated'] });
  });
}

/** Clicks on a key, inside the page so that no other process is in between, and waits for the frame that shows its details. */
function timeToDetails(page: Page, name: string): Promise<number> {
  return page.evaluate(async (name) => {
    const heading = () => document.querySelector('h1')?.textContent ?? '';
    const link = [...document.querySelectorAll<HTMLAnchorElement>('table a')].find((link) => link.textContent?.trim() === name);
    if (link === undefined) throw new Error(`the list has no ${name}`);
    const start = performance.now();
    link.click();
    while (!heading().includes(name)) await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    return performance.now() - start;
  }, name);
}

function percentile(times: readonly number[], percent: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN;
}
