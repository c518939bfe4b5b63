import { BadBody } from './body';

export interface AgentEvent {
  /** `transaction`, `span`, `error`, `metricset` or `log`. */
  kind: string;
  /** What people call it: a transaction's name, for one. */
  name: string;
}

export interface AgentEventBatch {
  service: string;
  events: AgentEvent[];
}

/** Reads the format of APM agents: one line of metadata, then one event a line. */
export function readNdjson(body: Buffer): AgentEventBatch {
  const lines = body.toString('utf8').split('\n').filter((line) => line.trim() !== '');
  const [first, ...rest] = lines.map(parseLine);
  if (first === undefined) return { service: '', events: [] };
  const metadata = first['metadata'] as { service?: { name?: string } } | undefined;
  if (metadata === undefined) throw new BadBody('did not recognize object type: metadata expected');
  return { service: metadata.service?.name ?? '', events: rest.map(readEvent) };
}

function parseLine(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Falls through to the one complaint about a line that is not an object.
  }
  throw new BadBody('data read error: invalid JSON');
}

function readEvent(line: Record<string, unknown>): AgentEvent {
  const [kind, value] = Object.entries(line)[0] ?? ['unknown', {}];
  const { name, type } = (value ?? {}) as { name?: string; type?: string };
  return { kind, name: name ?? type ?? '' };
}
