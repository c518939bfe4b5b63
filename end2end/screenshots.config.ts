import { defineConfig } from '@playwright/test';
import { browser } from './playwright.config';

/** Pictures of every page and state, to be looked at beside the mock-ups. */
export default defineConfig({
  outputDir: 'test-results/screenshots-run',
  testDir: 'screenshots',
  retries: 0,
  workers: 2,
  timeout: 90_000,
  reporter: [['list'], ['./fixtures/summary-reporter.ts']],
  use: { ...browser, trace: 'off', screenshot: 'off' },
});
