import { RE2JS } from 're2js';
import type { DetectorName } from './action.ts';
import { charClass, DASHES, type CharClass, type Scan, type Span } from './scan.ts';
import type { Work } from './work.ts';

/** A secret that is one unbroken run of characters with a telling start. */
interface TokenForm {
  starts: string[];
  chars: CharClass;
  /** The whole run. */
  form: RE2JS;
  check?: (token: string) => boolean;
}

const ALNUM = charClass('a-z', 'A-Z', '0-9', '_');
const URL_SAFE = charClass('a-z', 'A-Z', '0-9', '_', '-');
const DOTTED = charClass('a-z', 'A-Z', '0-9', '_', '-', '.');

/** `sk-your-key-here`, `sk-xxxxxxxx`: what documentation writes in place of a key. */
const STAND_IN = RE2JS.compile('(?i)your[-_]?|x{4}|placeholder|replace[-_]');
const DIGIT = RE2JS.compile('[0-9]');

/**
 * Forms as the issuers document them: OpenAI "API keys", Anthropic "API keys", Google Cloud "API keys", AWS IAM "Unique identifiers",
 * GitHub "Token types", GitLab "Token prefixes", Slack "Token types", Stripe "API keys", Hugging Face "User access tokens",
 * npm "Access tokens", RFC 7519. Lengths are kept as loose as the start allows: issuers change them without notice.
 */
const FORMS = {
  openai_key: {
    starts: ['sk-'],
    chars: URL_SAFE,
    form: RE2JS.compile('sk-(?:(?:proj|svcacct|admin|None|service)-[A-Za-z0-9_-]{20,}|or-v1-[0-9a-f]{32,}|[A-Za-z0-9]{20,})'),
    check: (token) => DIGIT.test(token.slice(3)),
  },
  anthropic_key: { starts: ['sk-ant-'], chars: URL_SAFE, form: RE2JS.compile('sk-ant-[a-z]+[0-9]{2}-[A-Za-z0-9_-]{20,}') },
  deja_key: { starts: ['sk-deja-'], chars: URL_SAFE, form: RE2JS.compile('sk-deja-[A-Za-z0-9]{4,}-[A-Za-z0-9_-]{16,}') },
  google_api_key: { starts: ['AIza'], chars: URL_SAFE, form: RE2JS.compile('AIza[A-Za-z0-9_-]{35}') },
  aws_access_key: { starts: ['AKIA', 'ASIA'], chars: ALNUM, form: RE2JS.compile('A[KS]IA[A-Z0-9]{16}') },
  github_token: {
    starts: ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_', 'github_pat_'],
    chars: ALNUM,
    form: RE2JS.compile('gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}'),
  },
  gitlab_token: {
    starts: ['glpat-', 'gldt-', 'glrt-', 'glptt-', 'glcbt-', 'gloas-'],
    chars: DOTTED,
    form: RE2JS.compile('gl(?:pat|dt|rt|ptt|cbt|oas)-[A-Za-z0-9_-]{20,}(?:\\.[A-Za-z0-9_-]{2,}){0,2}'),
  },
  slack_token: { starts: ['xoxa-', 'xoxb-', 'xoxe-', 'xoxo-', 'xoxp-', 'xoxr-', 'xoxs-', 'xapp-'], chars: URL_SAFE, form: RE2JS.compile('x(?:ox[abeoprs]|app)-[A-Za-z0-9-]*[0-9][A-Za-z0-9-]{9,}') },
  stripe_key: {
    starts: ['sk_live_', 'sk_test_', 'rk_live_', 'rk_test_', 'whsec_'],
    chars: ALNUM,
    form: RE2JS.compile('[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9]{24,}'),
  },
  huggingface_token: { starts: ['hf_', 'api_org_'], chars: ALNUM, form: RE2JS.compile('(?:hf|api_org)_[A-Za-z0-9]{30,}') },
  npm_token: { starts: ['npm_'], chars: ALNUM, form: RE2JS.compile('npm_[A-Za-z0-9]{36}') },
  jwt: { starts: ['eyJ'], chars: DOTTED, form: RE2JS.compile('eyJ[A-Za-z0-9_-]{5,}(?:\\.[A-Za-z0-9_-]{4,}){2}(?:(?:\\.[A-Za-z0-9_-]{4,}){2})?'), check: hasJoseHeader },
} as const satisfies Partial<Record<DetectorName, TokenForm>>;

export type TokenName = keyof typeof FORMS;

/** Runs are read only from their beginnings, and what begins inside of a run that was read is not read again: linear. */
export function tokenFinder(name: TokenName): (scan: Scan) => Work<Span[]> {
  const { starts, chars, form, check }: TokenForm = FORMS[name];
  return function* findTokens(scan) {
    const spans: Span[] = [];
    for (const start of starts) {
      let at = scan.indexOf(start, scan.from);
      while (at >= 0) {
        if (scan.isTurnOver()) yield;
        if (!scan.begins(at, chars)) {
          at = scan.indexOf(start, at + 1);
          continue;
        }
        const run = scan.runEnd(at, chars);
        const dashes = scan.text.slice(at, run).indexOf(DASHES);
        let end = dashes < 0 ? run : at + dashes;
        while (scan.text[end - 1] === '.') end--; // the full stop of the sentence
        const token = scan.text.slice(at, end);
        scan.steps += token.length;
        if (form.testExact(token) && !STAND_IN.test(token) && varied(token.slice(start.length)) && (check?.(token) ?? true)) spans.push({ start: at, end });
        at = scan.indexOf(start, dashes < 0 ? run : end + DASHES.length);
      }
    }
    return spans;
  };
}

/** `ghp_000000…` is nobody's token. */
function varied(body: string): boolean {
  return new Set(body.slice(0, 64)).size >= 6;
}

/** The first part of a JWT or JWE is JSON that names an algorithm (RFC 7515, 4.1.1). */
function hasJoseHeader(token: string): boolean {
  try {
    const header: unknown = JSON.parse(Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString('utf8'));
    return typeof header === 'object' && header !== null && 'alg' in header && typeof header.alg === 'string';
  } catch {
    return false;
  }
}
