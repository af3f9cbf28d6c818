/** What happens to a text in which a rule finds something. */
export const ACTIONS = ['off', 'flag', 'redact', 'block'] as const;
export type Action = (typeof ACTIONS)[number];

/** Which texts: those a client sends, or those a model gives back. */
export type Side = 'prompts' | 'answers';

interface Detector {
  group: 'secrets' | 'pii';
  /** A guess rather than a proof: a whole group set to `block` or `redact` only flags it, unless it is set by its own name. */
  unsure?: true;
}

/** Every detector there is. Names are part of deja.yaml and of what redacted texts say: they are added to, never renamed. */
export const DETECTORS = {
  openai_key: { group: 'secrets' },
  anthropic_key: { group: 'secrets' },
  google_api_key: { group: 'secrets' },
  azure_key: { group: 'secrets' },
  aws_access_key: { group: 'secrets' },
  aws_secret_key: { group: 'secrets' },
  github_token: { group: 'secrets' },
  gitlab_token: { group: 'secrets' },
  slack_token: { group: 'secrets' },
  stripe_key: { group: 'secrets' },
  huggingface_token: { group: 'secrets' },
  npm_token: { group: 'secrets' },
  deja_key: { group: 'secrets' },
  jwt: { group: 'secrets' },
  private_key: { group: 'secrets' },
  url_password: { group: 'secrets' },
  assigned_secret: { group: 'secrets', unsure: true },
  payment_card: { group: 'pii' },
  iban: { group: 'pii' },
  email: { group: 'pii' },
  phone: { group: 'pii' },
  us_ssn: { group: 'pii' },
  uk_nino: { group: 'pii' },
  ip_address: { group: 'pii' },
} as const satisfies Record<string, Detector>;

export type DetectorName = keyof typeof DETECTORS;

export const DETECTOR_NAMES: readonly DetectorName[] = Object.keys(DETECTORS).filter(isDetectorName);

export function perDetector<T>(valueOf: (name: DetectorName) => T): Record<DetectorName, T> {
  const values = DETECTOR_NAMES.map((name) => [name, valueOf(name)] as const);
  return Object.fromEntries(values) as Record<DetectorName, T>; // complete: DETECTOR_NAMES are all of its keys
}

export function isDetectorName(name: string): name is DetectorName {
  return Object.hasOwn(DETECTORS, name);
}

/** What a detector does when only its group was given an action. */
export function actionOfGroup(name: DetectorName, group: Action): Action {
  const detector: Detector = DETECTORS[name];
  return detector.unsure && (group === 'block' || group === 'redact') ? 'flag' : group;
}
