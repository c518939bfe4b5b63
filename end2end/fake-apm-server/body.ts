import type { IncomingMessage } from 'node:http';
import { createGunzip, createInflate } from 'node:zlib';
import type { Readable } from 'node:stream';

/** Far above what an agent sends in one request, far below what hurts. */
const BODY_BYTES_MAX = 8 * 1024 * 1024;

export class BadBody extends Error {}

/** Reads a whole request body, unpacked, and never more than the bound. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of unpacked(request)) {
      bytes += (part as Buffer).length;
      if (bytes > BODY_BYTES_MAX) throw new BadBody('request body is too large');
      parts.push(part as Buffer);
    }
  } catch (error) {
    if (error instanceof BadBody) throw error;
    throw new BadBody(`failed to read the body: ${String(error)}`);
  }
  return Buffer.concat(parts);
}

function unpacked(request: IncomingMessage): Readable {
  switch (request.headers['content-encoding']) {
    case 'gzip':
      return request.on('error', () => {}).pipe(createGunzip());
    case 'deflate':
      return request.on('error', () => {}).pipe(createInflate());
    default:
      return request;
  }
}
