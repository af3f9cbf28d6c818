export type Value = string | number | Buffer;

const LINE = '\r\n';

/** A command as Redis's protocol has it (RESP2, "Redis serialization protocol specification"): an array of bulk strings. Text unless a value is bytes. */
export function encodedCommand(name: string, values: readonly Value[]): string | Buffer {
  const lines = [`*${values.length + 1}`, `$${name.length}`, name];
  for (const [at, value] of values.entries()) {
    if (typeof value === 'object') return withBytes(lines, values, at);
    const text = typeof value === 'string' ? value : String(value);
    lines.push(`$${Buffer.byteLength(text)}`, text);
  }
  lines.push('');
  return lines.join(LINE);
}

/** `lines` are those of the values before `from`. */
function withBytes(lines: string[], values: readonly Value[], from: number): Buffer {
  const pieces: Buffer[] = [];
  let text = lines.join(LINE) + LINE;
  for (const value of values.slice(from)) {
    if (typeof value === 'object') {
      pieces.push(Buffer.from(`${text}$${value.length}${LINE}`), value);
      text = LINE;
    } else text += `$${Buffer.byteLength(String(value))}${LINE}${String(value)}${LINE}`;
  }
  return Buffer.concat([...pieces, Buffer.from(text)]);
}
