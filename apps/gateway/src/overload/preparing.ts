const NOTHING = (): void => undefined;

/**
 * Requests that use the processor before they wait for anybody else: from their body's arrival to their reservation. Those that wait for a provider are not among
 * them, nor slow uploads: thousands of both cost next to nothing.
 */
export class Preparing {
  private now = 0;
  private most = 0;

  get count(): number {
    return this.now;
  }

  /** Returns what is to be called at its end, once or more often. */
  begin(): () => void {
    this.now++;
    if (this.now > this.most) this.most = this.now;
    let end = (): void => {
      this.now--;
      end = NOTHING;
    };
    return () => end();
  }

  /** The most there were at once since this was asked last. */
  takePeak(): number {
    const peak = this.most;
    this.most = this.now;
    return peak;
  }
}
