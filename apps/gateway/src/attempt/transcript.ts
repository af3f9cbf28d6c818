/** What a streamed answer has said, for a moderation model that watches over it; holds nothing when none does. */
export class Transcript {
  private said = '';

  constructor(private readonly watched: boolean) {}

  add(text: string): void {
    if (this.watched) this.said += text;
  }

  /** What was said since the last call of this. */
  take(): string {
    const said = this.said;
    this.said = '';
    return said;
  }
}
