import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

export interface Finished {
  status: number | null;
  /** Both streams, as they came. */
  output: string;
}

/** A JVM with an agent needs 3 s on an idle machine, and ten times that on a busy one. */
const TIMEOUT_MS = 60_000;

/** Where npm put the packages; a program in a temporary folder finds them by it. */
export const NODE_MODULES = join(__dirname, '../node_modules');

/** A program that runs over files in a folder of its own. */
export interface RunningProgram {
  /** Replaces a file of the folder. */
  write(name: string, text: string): Promise<void>;
  /** Sends one line to the program's input. */
  line(text: string): void;
  /** Closes the input and waits until the program has ended. */
  finish(): Promise<Finished>;
  /** Ends the program and removes its folder. */
  stop(): Promise<void>;
}

/**
 * Starts a program over files in a folder that exists for this run alone.
 *
 * The environment is empty but for what is named, so that only the snippet can
 * have told the agent where to send and with which key.
 */
export async function startWithFiles(
  files: Record<string, string | Buffer>,
  command: readonly [string, ...string[]],
  environment: Record<string, string> = {},
): Promise<RunningProgram> {
  const folder = await mkdtemp(join(tmpdir(), 'agent-keys-agent-'));
  const write = (name: string, text: string | Buffer): Promise<void> => writeFile(join(folder, name), text);
  for (const [name, text] of Object.entries(files)) await write(name, text);
  const [program, ...rest] = command;
  const child = spawn(program, rest, {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', HOME: folder, ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const finished = end(child);
  // Who waits for the end hears of a failure; until then it is no unhandled rejection.
  finished.catch(() => {});
  return {
    write,
    line: (text) => child.stdin.write(`${text}\n`),
    finish: () => {
      child.stdin.end();
      return finished;
    },
    stop: async () => {
      child.kill('SIGKILL');
      await finished.catch(() => {});
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Runs a program over files to its end, without input. */
export async function runWithFiles(
  files: Record<string, string | Buffer>,
  command: readonly [string, ...string[]],
  environment: Record<string, string> = {},
): Promise<Finished> {
  const running = await startWithFiles(files, command, environment);
  const late = setTimeout(() => void running.stop(), TIMEOUT_MS);
  try {
    return await running.finish();
  } finally {
    clearTimeout(late);
    await running.stop();
  }
}

function end(child: ChildProcessByStdio<Writable, Readable, Readable>): Promise<Finished> {
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout.on('data', (part: Buffer) => (output += part.toString('utf8')));
    child.stderr.on('data', (part: Buffer) => (output += part.toString('utf8')));
    // A program that ended does not read its input.
    child.stdin.on('error', () => {});
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, output }));
  });
}

/** Elastic's agents ask the cloud they run in for its name; there is none here. */
export const NO_CLOUD = { ELASTIC_APM_CLOUD_PROVIDER: 'none' };
