import type { IncomingMessage } from 'node:http';
import { DejaError } from '@deja/contracts';
import { boundaryOf, MultipartScanner, type MultipartBounds, type RewriteField } from './multipart.ts';
import type { BodyShare } from '../pipeline/body-memory.ts';
import { Prelude } from './prelude.ts';
import { isSetting } from '../guard/prompt-texts.ts';

/** Enough for the fields that people put before a file, and for small files whole. */
const READ_AHEAD_BYTES = 1024 * 1024;
export const FORM_BOUNDS: MultipartBounds = { maxFieldBytes: 1024 * 1024, maxFieldsBytes: 4 * 1024 * 1024, maxParts: 256, maxHeaderBytes: 16 * 1024 };
/** A field is held as text here and by what sends it on, at up to two bytes a character. */
const BYTES_HELD = 4;
/** Must be plain fields: some providers read a file of that name as the field. */
const PLAIN_FIELDS = ['model', 'purpose'];

interface FormOptions {
  /** Fields in which people write: they are judged, and must come as plain fields. */
  texts: readonly string[];
  /** What a field holds, settings apart, as it may leave the house, at once or in turns; throws, or rejects with, the refusal when it may not. */
  treat: (text: string, field: string) => string | Promise<string>;
  /** Resolves when these texts, as they leave, may go on; rejects with the refusal when they may not. */
  judge: (texts: string[]) => Promise<void>;
  /** Room for what is held of it until it was answered: the beginning as long as it may be sent, and fields. Files stream by. */
  share: BodyShare;
}

/** One multipart request on its way through: read ahead as far as routing needs it, then sent on as it comes. */
export class Form {
  readonly contentType: string;
  private readonly boundary: string;
  private readonly plainFields: readonly string[];
  private readonly prelude: Prelude;
  private readonly ahead: MultipartScanner;
  private sent = false;
  /** Fields that have come and were not treated, and what became of those that were, by name and then by value. */
  private untreated: [field: string, value: string][] = [];
  private readonly treated = new Map<string, Map<string, string>>();
  private readonly judged = new Set<string>();
  private unjudged: string[] = [];
  /** Nothing more comes: the form may be sent more than once. */
  ended = false;

  /** Throws `invalid_value` when this is no form. */
  constructor(contentType: string | undefined, private readonly source: IncomingMessage, private readonly o: FormOptions) {
    const boundary = boundaryOf(contentType ?? '');
    if (boundary === null || contentType === undefined) throw new DejaError('invalid_value', 'Send the body as multipart/form-data with a boundary.', { param: 'content-type' });
    this.contentType = contentType;
    this.boundary = boundary;
    this.prelude = new Prelude(source.iterator({ destroyOnReturn: false }), o.share);
    this.plainFields = [...PLAIN_FIELDS, ...o.texts];
    const noted: RewriteField = (field, value) => void this.untreated.push([field, value]);
    this.ahead = new MultipartScanner(boundary, { ...FORM_BOUNDS, plainFields: this.plainFields, rewrite: noted, held: (bytes) => o.share.take(bytes * BYTES_HELD) });
  }

  /** Reads until this field has come, the form has ended or enough was read; null when it has not come. */
  async readAhead(field: string): Promise<string | null> {
    const { exhausted } = await this.prelude.readAhead(this.ahead, READ_AHEAD_BYTES, field);
    this.ended = exhausted;
    return this.ahead.fields.get(field) ?? null;
  }

  /** Has what people wrote into the fields that were read ahead treated and judged, before anything is sent. What comes later is judged on its way. */
  async judgeAhead(): Promise<void> {
    await this.treatComing();
    for (const [field, value] of this.ahead.fields) this.leaving(field, value);
    await this.judge();
  }

  /** The whole form, its model renamed and its texts treated on the way; null when it has gone by and cannot be sent again. */
  body(modelFor: ((model: string) => string) | null): AsyncIterable<Uint8Array> | null {
    if (this.sent && !this.ended) return null;
    this.sent = true;
    const rewrite: RewriteField = (field, value) => {
      if (field === 'model' && modelFor !== null) return changed(value, modelFor(value));
      return changed(value, this.leaving(field, value));
    };
    return this.through(new MultipartScanner(this.boundary, { ...FORM_BOUNDS, plainFields: this.plainFields, rewrite }), modelFor !== null);
  }

  /** A provider has begun to answer: what is held for it is the operation's from here on, as a body is that has come whole. */
  answered(): void {
    this.o.share.release();
  }

  /**
   * Nobody wants the rest: it is read and forgotten, because a connection is good for its next request only when all of this one has come. Does not wait
   * for it: a client that stalls in its upload is answered all the same.
   */
  close(): void {
    this.answered();
    const rest = (): unknown => this.source.resume();
    this.prelude.close().then(rest, rest);
  }

  private async *through(scanner: MultipartScanner, needsModel: boolean): AsyncGenerator<Uint8Array> {
    await this.treatComing();
    // The last chunk is held until all is known: a form without a model, or with a text that is refused, must not be complete when it arrives.
    let held: Uint8Array | null = null;
    for await (const chunk of this.prelude.through(scanner, (coming) => this.come(coming))) {
      await this.judge();
      if (held !== null) yield held;
      held = chunk;
    }
    if (needsModel && !scanner.fields.has('model')) throw new DejaError('missing_required_parameter', "Missing required parameter: 'model'.", { param: 'model' });
    if (held !== null) yield held;
  }

  /** A chunk is read before it is sent on: treating what stands in it may take its time, and a scanner does not wait. */
  private async come(chunk: Uint8Array): Promise<void> {
    this.ahead.push(chunk);
    await this.treatComing();
  }

  private async treatComing(): Promise<void> {
    for (const [field, value] of this.untreated.splice(0)) {
      if (isSetting(field)) continue;
      const known = this.treated.get(field) ?? new Map<string, string>();
      this.treated.set(field, known.set(value, await this.o.treat(value, field)));
    }
  }

  /** The field's value as it may leave; notes a text that is to be judged, unless it was. */
  private leaving(field: string, value: string): string {
    if (isSetting(field)) return value;
    const text = this.treated.get(field)?.get(value);
    if (text === undefined) throw new Error(`the field ${field} leaves before it was treated`);
    if (!this.o.texts.includes(field)) return text;
    if (!this.judged.has(text)) this.unjudged.push(text);
    this.judged.add(text);
    return text;
  }

  private async judge(): Promise<void> {
    if (this.unjudged.length > 0) await this.o.judge(this.unjudged.splice(0));
  }
}

const changed = (before: string, after: string): string | undefined => (after === before ? undefined : after);
