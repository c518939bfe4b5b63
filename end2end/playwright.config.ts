import { defineConfig, type PlaywrightTestConfig } from '@playwright/test';
import type { WorkerOptions } from './fixtures/app';

/**
 * Debian's Chromium without its window, as a user without a profile meets it. The switches keep it from calling out:
 * the machine may be closed, and a story talks to the application alone.
 */
export const browser = {
  browserName: 'chromium',
  launchOptions: {
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium-headless-shell',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  },
  // Far in the west, so that a time shown in the browser's zone by mistake
  // does not pass for UTC.
  timezoneId: 'America/Anchorage',
  locale: 'en-GB',
  viewport: { width: 1440, height: 900 },
  // Colours on their way from one theme to the other would be measured as if they were meant.
  contextOptions: { reducedMotion: 'reduce' },
  actionTimeout: 10_000,
  navigationTimeout: 15_000,
  screenshot: 'only-on-failure',
  // Tracing costs a quarter of the time of every story; `--trace on` has it where a failure needs it.
  trace: 'off',
} satisfies PlaywrightTestConfig['use'];

/** Debian's Firefox, unmodified, through WebDriver BiDi. Playwright switches its calls home off. */
const firefox = {
  ...browser,
  browserName: 'firefox',
  channel: 'moz-firefox',
  launchOptions: {
    executablePath: process.env['FIREFOX'] ?? '/usr/bin/firefox-esr',
    firefoxUserPrefs: {
      // BiDi cannot emulate the one, nor permit the other.
      'ui.prefersReducedMotion': 1,
      'dom.events.testing.asyncClipboard': true,
    },
  },
  contextOptions: {},
} satisfies PlaywrightTestConfig['use'];

/** The parts that passed with what they depend on now, which `cargo xtask test` knows. */
const unchanged = (process.env['AGENT_KEYS_UNCHANGED'] ?? '').split(',');
const areAgentsUnchanged = unchanged.includes('agents');
const arePagesUnchanged = unchanged.includes('pages');

export default defineConfig<object, WorkerOptions>({
  outputDir: 'test-results/runs',
  retries: 0,
  workers: 2,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  forbidOnly: process.env['CI'] !== undefined,
  reporter: [['list'], ['./fixtures/summary-reporter.ts']],
  projects: [
    ...(areAgentsUnchanged
      ? []
      : [
          { name: 'fake APM Server', testDir: 'fake-apm-server/tests' },
          { name: 'agents', testDir: 'agents/tests' },
          { name: 'clients', testDir: 'clients' },
        ]),
    {
      name: 'with JavaScript',
      testDir: 'stories',
      testIgnore: [areAgentsUnchanged ? 'real-agents.spec.ts' : '', arePagesUnchanged ? 'looks.spec.ts' : ''],
      use: { ...browser, javaScriptEnabled: true },
    },
    // Stories that show something which a browser does in another way without a script.
    { name: 'without JavaScript', testDir: 'stories', grep: /@no-script/, use: { ...browser, javaScriptEnabled: false } },
    // Stories that between them follow links and send forms, with an answer in place and with one elsewhere.
    {
      name: 'below a base path',
      testDir: 'stories',
      grep: /@base-path/,
      use: { ...browser, javaScriptEnabled: true, basePath: '/observability/agent-keys' },
    },
    // The main stories.
    ...(arePagesUnchanged
      ? []
      : [
          { name: 'in Firefox', testDir: 'stories', grep: /@firefox/, use: { ...firefox, javaScriptEnabled: true } },
          { name: 'in WebKitGTK', testDir: 'webkit' },
        ]),
  ],
});
