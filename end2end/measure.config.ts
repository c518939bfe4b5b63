import { defineConfig } from '@playwright/test';
import { browser } from './playwright.config';

/** What a person waits for in the browser, for `cargo xtask bench`. One worker: nothing else may run meanwhile. */
export default defineConfig({
  outputDir: 'test-results/measure-run',
  testDir: 'measure',
  retries: 0,
  workers: 1,
  timeout: 180_000,
  reporter: [['list'], ['./fixtures/summary-reporter.ts']],
  use: { ...browser, trace: 'off', screenshot: 'off' },
});
