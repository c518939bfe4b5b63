import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Debian's, which alone has the bindings to WebKitGTK. */
const PYTHON = '/usr/bin/python3';
const DISPLAY_PROGRAM = '/usr/bin/xvfb-run';
const BINDINGS = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu'].map(
  (folder) => `${folder}/girepository-1.0/WebKit2-4.1.typelib`,
);

/** Why there is no WebKitGTK to drive, if there is none. */
export const WEBKIT_MISSING =
  existsSync(DISPLAY_PROGRAM) && BINDINGS.some((file) => existsSync(file))
    ? undefined
    : 'install gir1.2-webkit2-4.1, python3-gi, xauth and xvfb for the stories in WebKitGTK';

interface Line {
  value?: unknown;
  error?: string;
  complaint?: string;
}

/** A page in WebKitGTK, on a display of its own. */
export class WebKitPage {
  readonly complaints: string[] = [];
  readonly #process = spawn(DISPLAY_PROGRAM, ['-a', PYTHON, join(__dirname, 'webview.py')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  readonly #waiting: ((line: Line) => void)[] = [];

  constructor() {
    createInterface(this.#process.stdout).on('line', (text) => {
      const line = JSON.parse(text) as Line;
      if (line.complaint !== undefined) this.complaints.push(line.complaint);
      else this.#waiting.shift()?.(line);
    });
    this.#process.once('exit', (status) => {
      for (const answer of this.#waiting.splice(0)) answer({ error: `WebKitGTK ended with status ${status}` });
    });
  }

  /** Goes to an address, and waits until it is loaded. */
  async load(address: string): Promise<void> {
    await this.#ask({ load: address });
  }

  /** Runs a function in the page. */
  async run<Arguments extends unknown[], Result>(
    work: (...words: Arguments) => Result | Promise<Result>,
    ...words: Arguments
  ): Promise<Result> {
    return (await this.#ask({ call: `return (${work.toString()})(...${JSON.stringify(words)});` })) as Result;
  }

  async stop(): Promise<void> {
    const ended = new Promise((done) => this.#process.once('exit', done));
    this.#process.stdin.end();
    await ended;
  }

  async #ask(request: { load: string } | { call: string }): Promise<unknown> {
    const line = await new Promise<Line>((answer) => {
      this.#waiting.push(answer);
      this.#process.stdin.write(`${JSON.stringify(request)}\n`);
    });
    if (line.error !== undefined) throw new Error(line.error);
    return line.value;
  }
}
