import { BadBody } from './body';
import type { AgentEventBatch, AgentEvent } from './ndjson';
import { nested } from './protobuf';

/** The three signals share one shape: resource, scope, record. */
const RECORDS = { traces: 'spans', metrics: 'metrics', logs: 'logRecords' } as const;

export type Signal = keyof typeof RECORDS;

export function isSignal(word: string): word is Signal {
  return Object.hasOwn(RECORDS, word);
}

export function readOtlp(signal: Signal, body: Buffer, json: boolean): AgentEventBatch {
  try {
    return json ? readJson(signal, JSON.parse(body.toString('utf8'))) : readProtobuf(signal, body);
  } catch (error) {
    throw new BadBody(`not an OTLP ${signal} request: ${String(error)}`);
  }
}

function readProtobuf(signal: Signal, body: Buffer): AgentEventBatch {
  const resources = nested(body, 1);
  const records = resources.flatMap((resource) => nested(resource, 2)).flatMap((scope) => nested(scope, 2));
  const attributes = resources.flatMap((resource) => nested(resource, 1)).flatMap((inner) => nested(inner, 1));
  const service = attributes.find((attribute) => text(attribute, 1) === 'service.name');
  const [value] = service === undefined ? [] : nested(service, 2);
  return {
    service: value === undefined ? '' : text(value, 1),
    events: records.map((record) => event(signal, protobufName(signal, record))),
  };
}

/** A span's name is its fifth field, a metric's its first; a log record has none. */
function protobufName(signal: Signal, record: Buffer): string {
  switch (signal) {
    case 'traces':
      return text(record, 5);
    case 'metrics':
      return text(record, 1);
    case 'logs':
      return '';
  }
}

function text(message: Buffer, number: number): string {
  return nested(message, number)[0]?.toString('utf8') ?? '';
}

interface JsonRequest {
  [list: string]: {
    resource?: { attributes?: { key: string; value: { stringValue?: string } }[] };
    [scopes: string]: unknown;
  }[];
}

function readJson(signal: Signal, request: JsonRequest): AgentEventBatch {
  const word = signal === 'traces' ? 'Spans' : signal === 'metrics' ? 'Metrics' : 'Logs';
  const resources = request[`resource${word}`] ?? [];
  const records = resources
    .flatMap((resource) => (resource[`scope${word}`] ?? []) as Record<string, { name?: string }[]>[])
    .flatMap((scope) => scope[RECORDS[signal]] ?? []);
  const service = resources
    .flatMap((resource) => resource.resource?.attributes ?? [])
    .find(({ key }) => key === 'service.name');
  return {
    service: service?.value.stringValue ?? '',
    events: records.map((record) => event(signal, record.name ?? '')),
  };
}

function event(signal: Signal, name: string): AgentEvent {
  return { kind: signal === 'traces' ? 'span' : signal === 'metrics' ? 'metric' : 'log', name };
}
