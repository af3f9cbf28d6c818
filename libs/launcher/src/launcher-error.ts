/** A problem of starting or running the cluster, said in one sentence that its reader can act on. */
export class LauncherError extends Error {
  constructor(sentence: string, options?: { cause?: unknown }) {
    super(sentence, options);
    this.name = 'LauncherError';
  }
}

/** Turns an error of the file system into that sentence; anything else is given back as it is. `place` is the directory or file it was about. */
export function asLauncherError(error: unknown, place: string): unknown {
  const code = errorCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') return new LauncherError(`The disk that holds ${place} is full: free some space there, then start again.`, { cause: error });
  if (code === 'EACCES' || code === 'EPERM') return new LauncherError(`There is no permission to write to ${place}: change its owner or set DEJA_DATA_DIR to another directory.`, { cause: error });
  if (code === 'EROFS') return new LauncherError(`${place} is on a read-only file system: set DEJA_DATA_DIR to a directory that can be written to.`, { cause: error });
  if (code === 'ENOENT') return new LauncherError(`${place} cannot be made: set DEJA_DATA_DIR to another directory.`, { cause: error });
  if (code === 'ENOTDIR' || code === 'EEXIST') return new LauncherError(`${place} is in the way: it is not a directory. Move it, or set DEJA_DATA_DIR to another directory.`, { cause: error });
  return error;
}

/** `ENOSPC` and the like of an error from the system; null for any other. Asks for the field, not the class: errors also come from other realms. */
export function errorCode(error: unknown): string | null {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : null;
}
