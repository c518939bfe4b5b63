/**
 * Just enough of the protocol buffers wire format to find the names in an
 * OTLP request. A library would know the rest of OTLP; nothing here needs it.
 */
export interface Field {
  number: number;
  /** Only length-delimited fields carry bytes; numbers are skipped. */
  bytes: Buffer | undefined;
}

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED_32 = 5;

export function* fields(message: Buffer): Generator<Field> {
  let at = 0;

  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = message[at];
      if (byte === undefined) throw new Error('the message ends inside a number');
      at += 1;
      // Multiplication instead of shifting: a shift would wrap at 32 bits.
      value += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0) return value;
    }
    throw new Error('a number is too long');
  };

  const take = (length: number): Buffer => {
    if (at + length > message.length) throw new Error('the message ends inside a field');
    at += length;
    return message.subarray(at - length, at);
  };

  while (at < message.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    switch (tag % 8) {
      case VARINT:
        varint();
        yield { number, bytes: undefined };
        break;
      case FIXED_64:
        take(8);
        yield { number, bytes: undefined };
        break;
      case LENGTH_DELIMITED:
        yield { number, bytes: take(varint()) };
        break;
      case FIXED_32:
        take(4);
        yield { number, bytes: undefined };
        break;
      default:
        throw new Error(`wire type ${tag % 8} is not in use`);
    }
  }
}

/** The sub-messages (or strings) that a field number holds, in order. */
export function nested(message: Buffer, number: number): Buffer[] {
  const found: Buffer[] = [];
  for (const field of fields(message)) {
    if (field.number === number && field.bytes !== undefined) found.push(field.bytes);
  }
  return found;
}

/** A length-delimited field, for the few answers that are not empty. */
export function lengthDelimited(number: number, bytes: Buffer): Buffer<ArrayBuffer> {
  return Buffer.concat([varintBytes(number * 8 + LENGTH_DELIMITED), varintBytes(bytes.length), bytes]);
}

export function varintField(number: number, value: number): Buffer<ArrayBuffer> {
  return Buffer.concat([varintBytes(number * 8 + VARINT), varintBytes(value)]);
}

function varintBytes(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return Buffer.from([...bytes, rest]);
}
