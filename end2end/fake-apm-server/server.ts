import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answer, answerProtobuf, notPermitted } from './answer';
import { Authorizer, type Authorization, type AuthorizerOptions } from './authorizer';
import { BadBody, readBody } from './body';
import { Ledger } from './ledger';
import { readNdjson, type AgentEventBatch } from './ndjson';
import { isSignal, readOtlp, type Signal } from './otlp';
import { lengthDelimited, varintField } from './protobuf';

/** What `GET /` tells those whom it knows. */
const INFO = {
  build_date: '2026-01-01T00:00:00Z',
  build_sha: '0000000000000000000000000000000000000000',
  publish_ready: true,
  version: '9.5.0',
};

const REQUEST_TIMEOUT_MS = 30_000;

/** One request on its way through the apmServer. */
interface Visit {
  request: IncomingMessage;
  response: ServerResponse;
  url: URL;
  authorization: Authorization;
}

/**
 * The receiving end of APM, as small as it can be and still say yes and no in
 * the same places as APM Server, with the same statuses.
 */
export class FakeApmServer {
  readonly ledger = new Ledger();
  readonly #server: Server;
  readonly #authorizer: Authorizer;

  private constructor(options: AuthorizerOptions) {
    this.#authorizer = new Authorizer(options);
    this.#server = createServer((request, response) => {
      this.#receive(request, response).catch((error: unknown) => {
        if (!response.headersSent) {
          const status = error instanceof BadBody ? 400 : 500;
          answer(request, response, status, { accepted: 0, errors: [{ message: String(error) }] });
        } else {
          response.destroy();
        }
      });
    });
    this.#server.requestTimeout = REQUEST_TIMEOUT_MS;
  }

  /** Starts on a free port of the loopback interface. */
  static async start(options: AuthorizerOptions): Promise<FakeApmServer> {
    const apmServer = new FakeApmServer(options);
    await new Promise<void>((resolve) => apmServer.#server.listen(0, '127.0.0.1', resolve));
    return apmServer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    const handle = this.#route(url.pathname);
    if (handle === undefined) return answer(request, response, 404, { error: '404 page not found' });
    const authorization = await this.#authorizer.authorize(request.headers.authorization);
    if (authorization.as === 'unavailable') {
      this.#turnAway(url, authorization, 503);
      return answer(request, response, 503, { error: 'service unavailable' });
    }
    return handle({ request, response, url, authorization });
  }

  #route(path: string): ((visit: Visit) => Promise<void> | void) | undefined {
    if (path === '/') return root;
    if (path === '/config/v1/agents') return config;
    if (path === '/intake/v2/events') return (visit) => this.#events(visit);
    const signal = path.startsWith('/v1/') ? path.slice('/v1/'.length) : '';
    return isSignal(signal) ? (visit) => this.#signal(visit, signal) : undefined;
  }

  async #events(visit: Visit): Promise<void> {
    const { request, response, url, authorization } = visit;
    if (authorization.as !== 'authenticated') {
      this.#turnAway(url, authorization, 401);
      return answer(request, response, 401, unauthenticated(authorization));
    }
    const batch = readNdjson(await readBody(request));
    const accepted = batch.events.length;
    // Permission is asked for only when there is something to permit.
    if (accepted > 0 && !authorization.granted.has('event:write')) {
      this.#write(visit, 403, batch);
      const errors = [{ message: notPermitted('event:write') }];
      return answer(request, response, 403, { accepted: 0, errors }, { Connection: 'Close' });
    }
    this.#write(visit, 202, batch);
    return answer(request, response, 202, url.searchParams.has('verbose') ? { accepted } : undefined);
  }

  async #signal(visit: Visit, signal: Signal): Promise<void> {
    const { request, response, url, authorization } = visit;
    if (authorization.as !== 'authenticated') {
      this.#turnAway(url, authorization, 401);
      return answer(request, response, 401, unauthenticated(authorization));
    }
    const json = (request.headers['content-type'] ?? '').startsWith('application/json');
    const batch = readOtlp(signal, await readBody(request), json);
    if (batch.events.length > 0 && !authorization.granted.has('event:write')) {
      // Not 403: the refusal passes through a gRPC layer that knows it only as
      // an error of unknown kind (2), and that becomes a 500.
      this.#write(visit, 500, batch);
      const message = notPermitted('event:write');
      if (json) return answer(request, response, 500, { code: 2, message });
      return answerProtobuf(
        response,
        500,
        Buffer.concat([varintField(1, 2), lengthDelimited(2, Buffer.from(message))]),
      );
    }
    this.#write(visit, 200, batch);
    return json ? answer(request, response, 200, {}) : answerProtobuf(response, 200, Buffer.alloc(0));
  }

  #turnAway({ pathname }: URL, { keyId }: Authorization, status: number): void {
    if (pathname === '/' || pathname === '/config/v1/agents') return;
    this.ledger.write({ path: pathname, status, keyId, service: '', events: [] });
  }

  #write({ url, authorization }: Visit, status: number, batch: AgentEventBatch): void {
    this.ledger.write({ path: url.pathname, status, keyId: authorization.keyId, ...batch });
  }
}

/** Who is unknown here gets 200 and silence, which is how a probe can tell. */
function root({ request, response, authorization }: Visit): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return answer(request, response, 405, { error: 'method not allowed' });
  }
  return answer(request, response, 200, authorization.as === 'authenticated' ? INFO : undefined);
}

/** The service name is looked at after the key and before the permission. */
async function config({ request, response, url, authorization }: Visit): Promise<void> {
  if (authorization.as !== 'authenticated') {
    return answer(request, response, 401, unauthenticated(authorization));
  }
  if ((await serviceName(request, url)) === '') {
    return answer(request, response, 400, { error: 'invalid query: service.name is required' });
  }
  if (!authorization.granted.has('config_agent:read')) {
    return answer(request, response, 403, { error: notPermitted('config_agent:read') });
  }
  const headers = { Etag: '"-"', 'Cache-Control': 'max-age=30, must-revalidate' };
  if (request.headers['if-none-match'] === headers.Etag) return answer(request, response, 304, undefined, headers);
  return answer(request, response, 200, {}, headers);
}

async function serviceName(request: IncomingMessage, url: URL): Promise<string> {
  if (request.method !== 'POST') return url.searchParams.get('service.name') ?? '';
  try {
    const body = JSON.parse((await readBody(request)).toString('utf8')) as { service?: { name?: string } };
    return body.service?.name ?? '';
  } catch {
    return '';
  }
}

function unauthenticated(authorization: Authorization): { error: string } {
  return { error: authorization.as === 'refused' ? authorization.reason : 'authentication failed' };
}
