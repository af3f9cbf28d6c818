import { IMAGE_RULES, type ImageFit, type ImageRule } from './image-rules.ts';
import { tokenizerFor } from './models.ts';
import type { PromptImage } from './prompt-parts.ts';

const PATCH_PX = 32;
const TILE_PX = 512;
/** An image of unknown size is taken for one of this size: what most clients scale theirs down to. */
const TYPICAL_SIDE_PX = 1024;
/** 768 × 2048 pixels, the largest that tile rules leave, are two by four tiles. */
const MOST_TILES = 8;

/**
 * Tokens of an image at OpenAI's published rules for the model ("Images and vision", section "Calculating costs"; a bill may
 * differ by one). An image of unknown size counts as 1024 × 1024. A model without rules of its own counts as gpt-4o: 85, and
 * 170 for each tile.
 */
export function imageTokens(image: PromptImage, model: string): number {
  return tokensBy(tokenizerFor(model).images, image);
}

/** As imageTokens, by a rule already found. */
export function tokensBy(rule: ImageRule, image: PromptImage): number {
  const [width, height] = sizeOf(image) ?? [TYPICAL_SIDE_PX, TYPICAL_SIDE_PX];
  if (rule.by === 'tiles') return image.detail === 'low' ? rule.base : rule.base + rule.tile * tilesOf(width, height);
  return Math.ceil(patchesOf(width, height, fitOf(rule, image.detail)) * rule.multiplier);
}

/** The most an image can cost: by the rule given, else by whichever rule is the dearest. */
export function mostTokens(image: PromptImage, rule?: ImageRule): number {
  if (!rule) return Math.max(...Object.values(IMAGE_RULES).map((each) => mostTokens(image, each)));
  if (sizeOf(image)) return tokensBy(rule, image);
  if (rule.by === 'tiles') return image.detail === 'low' ? rule.base : rule.base + rule.tile * MOST_TILES;
  return Math.ceil(fitOf(rule, image.detail).maxPatches * rule.multiplier);
}

function sizeOf({ width, height }: PromptImage): [number, number] | null {
  if (width === undefined || height === undefined || !(width >= 1 && height >= 1) || width === Infinity || height === Infinity) return null;
  return [width, height];
}

function fitOf(rule: Extract<ImageRule, { by: 'patches' }>, detail: string | undefined): ImageFit {
  if (detail === 'low' || detail === 'high' || detail === 'original') return rule[detail];
  return rule[rule.auto];
}

/** Into a square of 2048, then the shorter side to 768; never larger than it was. */
function tilesOf(width: number, height: number): number {
  const fitted = Math.min(1, 2048 / Math.max(width, height));
  const scale = fitted * Math.min(1, 768 / (Math.min(width, height) * fitted));
  const tiles = (px: number): number => Math.max(1, Math.ceil(Math.floor(px * scale + FRACTION) / TILE_PX));
  return tiles(width) * tiles(height);
}
/** So that 768 stays 768 where the arithmetic says 767.9999…. */
const FRACTION = 1e-6;

function patchesOf(width: number, height: number, { maxSide, maxPatches }: ImageFit): number {
  const scale = Math.min(1, maxSide / Math.max(width, height));
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  const whole = patches(w) * patches(h);
  if (whole <= maxPatches) return whole;
  // Shrunk to the budget, then a little more so that the tighter side is a whole number of patches.
  const shrink = Math.sqrt((PATCH_PX ** 2 * maxPatches) / (w * h));
  const [across, down] = [(w * shrink) / PATCH_PX, (h * shrink) / PATCH_PX];
  const adjusted = shrink * Math.min(Math.max(1, Math.floor(across)) / across, Math.max(1, Math.floor(down)) / down);
  return Math.min(maxPatches, patches(Math.floor(w * adjusted + FRACTION)) * patches(Math.floor(h * adjusted + FRACTION)));
}

const patches = (px: number): number => Math.max(1, Math.ceil(px / PATCH_PX));
