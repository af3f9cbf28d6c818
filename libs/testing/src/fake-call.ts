import type { FakeStore } from './fake-store.ts';
import type { ProviderRequest, Step } from './fake-provider-steps.ts';
import type { Asked, Frame } from './fake-provider-wire.ts';

/** A request on its way to an endpoint of the fake provider. */
export interface Call {
  request: ProviderRequest;
  step: Step;
  asked: Asked;
  query: URLSearchParams;
  /** What the provider lists as its models. */
  models: string[];
  /** What this credential has made so far. */
  store: FakeStore;
  /** Contents of the files in this request's form, by their SHA-256. */
  fileContents: Map<string, Buffer>;
  /** What another endpoint would answer under the same credential: a batch's lines. */
  ask: (path: string, body: unknown) => Reply;
}

/** What an endpoint answers: a body, or the frames of a stream. */
export interface Reply {
  /** 200 by default. */
  status?: number;
  /** JSON by default, or an event stream when there are frames. */
  contentType?: string;
  /** Text and bytes go out as they are, anything else as JSON. */
  body?: unknown;
  frames?: Iterable<Frame>;
}

export type Endpoint = (call: Call, ...parts: string[]) => Reply;

/** An error in OpenAI's shape. */
export const refuse = (status: number, message: string, param: string | null = null, code: string | null = null): Reply => ({
  status,
  body: { error: { message, type: 'invalid_request_error', param, code } },
});
