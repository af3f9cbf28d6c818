/** A value as Grafana would show it in that unit; short rather than exact. */
export function shown(value: number, unit: string): string {
  if (!Number.isFinite(value)) return '–';
  switch (unit) {
    case 's':
      return seconds(value);
    case 'percentunit':
      return `${trimmed(value * 100)} %`;
    case 'currencyUSD':
      return `$${value !== 0 && Math.abs(value) < 0.01 ? value.toPrecision(2) : thousands(value)}`;
    case 'bytes':
      return `${binary(value)}B`;
    case 'Bps':
      return `${binary(value)}B/s`;
    case 'reqps':
      return `${thousands(value)} req/s`;
    case 'ops':
      return `${thousands(value)} ops/s`;
    default:
      return thousands(value);
  }
}

function seconds(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return '0 s';
  if (size < 1e-3) return `${trimmed(value * 1e6)} µs`;
  if (size < 1) return `${trimmed(value * 1e3)} ms`;
  return size < 120 ? `${trimmed(value)} s` : `${trimmed(value / 60)} min`;
}

function thousands(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${trimmed(value / 1e9)} G`;
  if (size >= 1e6) return `${trimmed(value / 1e6)} M`;
  return size >= 1e4 ? `${trimmed(value / 1e3)} k` : trimmed(value);
}

function binary(value: number): string {
  const steps = ['', 'Ki', 'Mi', 'Gi', 'Ti'];
  let size = value;
  let step = 0;
  while (Math.abs(size) >= 1024 && step < steps.length - 1) [size, step] = [size / 1024, step + 1];
  return `${trimmed(size)} ${steps[step] ?? ''}`;
}

/** Three digits that mean something, and no zeros behind them. */
const trimmed = (value: number): string => (value === 0 ? '0' : String(Number(Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3))));
