/** What a neural verifier says of two texts. */
export interface Opinion {
  /** Logit of "the same", the lower of both orders. */
  logit: number;
  /** Probability that they are not the same, by the shipped calibration, in [0, 1]. */
  wrong: number;
  /** Whether it is sure enough for a `paraphrase`. */
  same: boolean;
}
