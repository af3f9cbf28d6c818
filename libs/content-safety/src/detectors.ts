import type { DetectorName } from './action.ts';
import { findAssignedSecrets, findAwsSecretKeys, findAzureKeys } from './assignments.ts';
import { findEmails } from './email.ts';
import { findIbans } from './iban.ts';
import { findIpAddresses } from './ip-address.ts';
import { findNationalInsuranceNumbers, findSocialSecurityNumbers } from './national-id.ts';
import { findPaymentCards } from './payment-card.ts';
import { findPhones } from './phone.ts';
import { findPrivateKeys } from './private-key.ts';
import type { Scan, Span } from './scan.ts';
import { tokenFinder } from './tokens.ts';
import { findUrlPasswords } from './url-password.ts';
import type { Work } from './work.ts';

/**
 * Finds what a detector looks for. What streams rely on (`sentence-buffer.ts`): a match holds no line break and no end of a sentence,
 * except a private key; it holds blanks only within its first 100 characters; and whether it is one depends on nothing beyond a blank.
 */
export type Finder = (scan: Scan) => Work<Span[]>;

export const FINDERS: Readonly<Record<DetectorName, Finder>> = {
  openai_key: tokenFinder('openai_key'),
  anthropic_key: tokenFinder('anthropic_key'),
  google_api_key: tokenFinder('google_api_key'),
  azure_key: findAzureKeys,
  aws_access_key: tokenFinder('aws_access_key'),
  aws_secret_key: findAwsSecretKeys,
  github_token: tokenFinder('github_token'),
  gitlab_token: tokenFinder('gitlab_token'),
  slack_token: tokenFinder('slack_token'),
  stripe_key: tokenFinder('stripe_key'),
  huggingface_token: tokenFinder('huggingface_token'),
  npm_token: tokenFinder('npm_token'),
  deja_key: tokenFinder('deja_key'),
  jwt: tokenFinder('jwt'),
  private_key: findPrivateKeys,
  url_password: findUrlPasswords,
  assigned_secret: findAssignedSecrets,
  payment_card: findPaymentCards,
  iban: findIbans,
  email: findEmails,
  phone: findPhones,
  us_ssn: findSocialSecurityNumbers,
  uk_nino: findNationalInsuranceNumbers,
  ip_address: findIpAddresses,
};
