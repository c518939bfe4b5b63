/** What an `Authorization` header claims, before anybody has checked it. */
export type Credentials =
  | { kind: 'none' }
  | { kind: 'bearer'; token: string }
  | { kind: 'api key'; id: string; token: string }
  | { kind: 'unusable'; reason: string };

/** Padded standard base64: the URL-safe alphabet and a missing `=` are refused. */
const PADDED_BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

const EXPECTED =
  "expected 'Authorization: Bearer secret_token' or " +
  "'Authorization: ApiKey base64(API key ID:API key)'";

/**
 * Reads the header as APM Server does: split at the first space, and the
 * scheme compared letter for letter, although Elasticsearch itself would take
 * `apikey` as well.
 */
export function readCredentials(header: string | undefined): Credentials {
  if (header === undefined || header === '') return { kind: 'none' };
  const space = header.indexOf(' ');
  if (space <= 0) {
    return { kind: 'unusable', reason: `missing or improperly formatted Authorization header: ${EXPECTED}` };
  }
  const scheme = header.slice(0, space);
  const token = header.slice(space + 1);
  switch (scheme) {
    case 'Bearer':
      return { kind: 'bearer', token };
    case 'ApiKey':
      return readApiKey(token);
    default:
      return { kind: 'unusable', reason: `unknown Authorization header ${scheme}: ${EXPECTED}` };
  }
}

export const MISSING_HEADER = `missing or improperly formatted Authorization header: ${EXPECTED}`;

function readApiKey(token: string): Credentials {
  if (!PADDED_BASE64.test(token)) {
    return { kind: 'unusable', reason: 'improperly encoded ApiKey credentials: expected base64(ID:APIKey)' };
  }
  const decoded = Buffer.from(token, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon === -1) {
    return { kind: 'unusable', reason: 'improperly formatted ApiKey credentials: expected base64(ID:APIKey)' };
  }
  return { kind: 'api key', id: decoded.slice(0, colon), token };
}
