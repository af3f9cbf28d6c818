/** A rectangle of the picture, pixels. */
export interface Box {
  x: number;
  y: number;
  w: number;
  h: number;
}

/** Easily told apart, also by most who see colours differently; in the order in which series get them. */
export const PALETTE = ['#3274d9', '#e0752d', '#56a64b', '#a352cc', '#e02f44', '#0fa3b1', '#c9a400', '#8f6b4a', '#ff7fb0', '#6b7280'];

/** Grafana's names of colours. */
export const COLORS: Record<string, string> = {
  'green': '#56a64b', 'yellow': '#e6c229', 'light-orange': '#ffb357', 'orange': '#e0752d', 'dark-orange': '#c45a12', 'red': '#e02f44', 'dark-red': '#a3182b', 'purple': '#a352cc', 'dark-purple': '#6d2f8f', 'blue': '#3274d9',
};

export const INK = '#24292f';
export const FAINT = '#8b949e';
export const GRID = '#e5e8ec';

export const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

export interface TextLook {
  size?: number;
  color?: string;
  anchor?: 'start' | 'middle' | 'end';
  bold?: boolean;
}

export function text(x: number, y: number, said: string, { size = 11, color = INK, anchor = 'start', bold = false }: TextLook = {}): string {
  const more = `${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}${bold ? ' font-weight="600"' : ''}`;
  return `<text x="${px(x)}" y="${px(y)}" font-size="${size}" fill="${color}"${more}>${escaped(said)}</text>`;
}

export const rect = ({ x, y, w, h }: Box, fill: string, more = ''): string => `<rect x="${px(x)}" y="${px(y)}" width="${px(Math.max(0, w))}" height="${px(Math.max(0, h))}" fill="${fill}"${more}/>`;

export const line = (x1: number, y1: number, x2: number, y2: number, color: string, more = ''): string => `<path d="M${px(x1)} ${px(y1)}L${px(x2)} ${px(y2)}" stroke="${color}" fill="none"${more}/>`;

/** A tenth of a pixel is enough, and keeps pictures small. */
export const px = (value: number): string => String(Math.round(value * 10) / 10);

/** A text cut to a width, at about 0.55 of its size for a letter. */
export function fitting(said: string, width: number, size = 11): string {
  const letters = Math.max(1, Math.floor(width / (size * 0.55)));
  return said.length <= letters ? said : `${said.slice(0, letters - 1)}…`;
}
