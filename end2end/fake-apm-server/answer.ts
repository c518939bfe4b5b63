import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Answers an object: as JSON to those who accept it, else as text that is JSON
 * all the same, which is what APM Server does.
 */
export function answer(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  body?: object,
  headers: Record<string, string> = {},
): void {
  const accept = request.headers.accept ?? '';
  const json = accept.includes('application/json') || accept.includes('*/*');
  const text = body === undefined ? '' : JSON.stringify(body);
  response.writeHead(status, {
    ...(body !== undefined && { 'Content-Type': json ? 'application/json' : 'text/plain; charset=utf-8' }),
    'Content-Length': String(Buffer.byteLength(text)),
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : text);
}

export function answerProtobuf(response: ServerResponse, status: number, body: Buffer): void {
  response.writeHead(status, {
    'Content-Type': 'application/x-protobuf',
    'Content-Length': String(body.length),
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(body);
}

export function notPermitted(action: string): string {
  return `unauthorized: API Key not permitted action "${action}"`;
}
