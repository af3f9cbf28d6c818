import { DejaError } from '@deja/contracts';
import { boundaryOf, MultipartScanner, type MultipartBounds } from './multipart.ts';

export const purposeMissing = (): DejaError => new DejaError('missing_required_parameter', "Missing required parameter: 'purpose'.", { param: 'purpose' });

/**
 * The form of an upload (OpenAI API reference, "Upload file": one `purpose`, one `file`) on its way: what would make it complete goes on only when both are
 * in it. Ends with the refusal otherwise, and then nobody has a whole form.
 */
export async function* wholeUpload(form: AsyncIterable<Uint8Array>, contentType: string, bounds: MultipartBounds): AsyncGenerator<Uint8Array> {
  let purposes = 0;
  const count = (field: string): undefined => void (purposes += field === 'purpose' ? 1 : 0);
  const scanner = new MultipartScanner(boundaryOf(contentType) ?? '', { ...bounds, rewrite: count });
  let isChecked = false;
  for await (const chunk of form) {
    scanner.push(chunk);
    if (scanner.complete && !isChecked) {
      isChecked = true;
      if (purposes === 0) throw purposeMissing();
      if (purposes > 1) throw new DejaError('invalid_value', "Invalid value for 'purpose': the form names it more than once.", { param: 'purpose' });
      const files = scanner.files.filter(({ name }) => name === 'file').length;
      if (files === 0) throw new DejaError('missing_required_parameter', "Missing required parameter: 'file'.", { param: 'file' });
      if (files > 1) throw new DejaError('invalid_value', "Invalid value for 'file': one call takes one file.", { param: 'file' });
    }
    yield chunk;
  }
}
