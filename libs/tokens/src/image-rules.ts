/** Limits an image is scaled down to, its aspect kept: pixels of its longer side, and patches of 32 × 32 pixels. */
export interface ImageFit {
  maxSide: number;
  maxPatches: number;
}

/** How a model turns an image into tokens. */
export type ImageRule =
  | { by: 'tiles'; base: number; tile: number }
  | { by: 'patches'; multiplier: number; low: ImageFit; high: ImageFit; original: ImageFit; auto: 'high' | 'original' };

const tiles = (base: number, tile: number): ImageRule => ({ by: 'tiles', base, tile });
const patches = (multiplier: number, low: ImageFit, high: ImageFit, original: ImageFit = high, auto: 'high' | 'original' = 'high'): ImageRule => ({
  by: 'patches', multiplier, low, high, original, auto,
});
const fit = (maxSide: number, maxPatches: number): ImageFit => ({ maxSide, maxPatches });

/** More patches than this after all scaling, and OpenAI refuses the image. */
const MOST_PATCHES = 30_000;
const SMALL = fit(512, 256);
const LARGE = fit(2048, 6144);
const MEDIUM = fit(2048, 2500);
const OLDER = fit(2048, 1536);

/** By model family. Source: OpenAI's guide "Images and vision", sections "Model sizing behavior" and "Calculating costs". */
export const IMAGE_RULES = {
  gpt4o: tiles(85, 170),
  gpt4oMini: tiles(2833, 5667),
  gpt5: tiles(70, 140),
  oSeries: tiles(75, 150),
  computerUse: tiles(65, 129),
  gpt6: patches(1.2, SMALL, fit(65_535, 2500), fit(65_535, MOST_PATCHES), 'original'),
  gpt5_6: patches(1.2, SMALL, MEDIUM, fit(65_535, MOST_PATCHES), 'original'),
  gpt5_5: patches(1.2, SMALL, MEDIUM, fit(6000, 10_000), 'original'),
  gpt5_4: patches(1.2, LARGE, MEDIUM, fit(6000, 10_000)),
  gpt5_2: patches(1.2, LARGE, LARGE),
  gpt5Mini: patches(1.2, OLDER, OLDER),
  gpt5Nano: patches(1.5, OLDER, OLDER),
  gpt41Mini: patches(1.62, LARGE, LARGE),
  gpt41Nano: patches(2.46, OLDER, OLDER),
  o4Mini: patches(1.72, OLDER, OLDER),
} as const satisfies Record<string, ImageRule>;
