import type { DetectorName } from '../src/action.ts';

/** Nobody's secrets, put together here so that no line of this file looks like one. */
const letters = 'aB3dE5gH7jK9mN1pQ3sT5vX7zA9cD1eF2gH4jK6mN8pQ0sT2vX4zA6cD8eF0gH1jK3mN5pQ7sT9vX1z';
const hex = '0f1e2d3c4b5a69788796a5b4c3d2e1f0';
const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export const jwt = [base64url({ alg: 'HS256', typ: 'JWT' }), base64url({ sub: '1234567890', name: 'A. N. Other' }), letters.slice(0, 43)].join('.');

export function pem(label: string, lines: number, newline = '\n'): string {
  const body = Array.from({ length: lines }, (_, line) => `MII${letters.slice(line % 16)}${letters}`.slice(0, 64));
  return [`-----BEGIN ${label}-----`, ...body, `-----END ${label}-----`].join(newline);
}

/** What each detector is there for. The whole text is the match. */
export const POSITIVES: Record<DetectorName, string[]> = {
  openai_key: [`sk-${letters.slice(0, 48)}`, `sk-proj-${letters.slice(0, 40)}_${letters.slice(0, 40)}-${letters.slice(0, 30)}`, `sk-svcacct-${letters}`, `sk-${hex}`, `sk-or-v1-${hex}${hex}`],
  anthropic_key: [`sk-ant-api03-${letters}-${letters.slice(0, 13)}AA`, `sk-ant-admin01-${letters}`],
  google_api_key: [`AIza${letters.slice(0, 35)}`, `AIzaSy${letters.slice(0, 20)}-_${letters.slice(0, 11)}`],
  azure_key: [],
  aws_access_key: [`AKIA${'IOSFODNN7' + 'EXAMPLE'}`, `ASIA${letters.slice(0, 16).toUpperCase()}`],
  aws_secret_key: [],
  github_token: [`ghp_${letters.slice(0, 36)}`, `gho_${letters.slice(0, 36)}`, `github_pat_${letters.slice(0, 22)}_${letters.slice(0, 59)}`],
  gitlab_token: [`glpat-${letters.slice(0, 20)}`, `glpat-${letters.slice(0, 27)}.01.${letters.slice(0, 9)}`],
  slack_token: [`xoxb-123456789012-1234567890123-${letters.slice(0, 24)}`, `xoxp-123456789012-${hex}`, `xapp-1-A0123456789-1234567890123-${hex}`],
  stripe_key: [`sk_live_${letters.slice(0, 24)}`, `rk_test_${letters.slice(0, 24)}`, `whsec_${letters.slice(0, 32)}`],
  huggingface_token: [`hf_${letters.replaceAll(/[0-9]/g, '').slice(0, 34)}`],
  npm_token: [`npm_${letters.slice(0, 36)}`],
  deja_key: [`sk-deja-${hex.slice(0, 12)}-${hex}${hex}`],
  jwt: [jwt],
  private_key: [pem('PRIVATE KEY', 26), pem('RSA PRIVATE KEY', 13), pem('OPENSSH PRIVATE KEY', 6), pem('EC PRIVATE KEY', 3), pem('ENCRYPTED PRIVATE KEY', 4), pem('PRIVATE KEY', 26, '\\n'), pem('PRIVATE KEY', 5, '\r\n')],
  url_password: [],
  assigned_secret: [],
  payment_card: [
    '4111111111111111', '4111 1111 1111 1111', '4111-1111-1111-1111', '4222222222222', '5555 5555 5555 4444', '2223003122003222', '3782 822463 10005', '378282246310005', '6011111111111117', '3530111333300000',
    '3056 930902 5904', '6200000000000005', '4000000000000000006',
  ],
  iban: ['DE89 3704 0044 0532 0130 00', 'DE89370400440532013000', 'GB29 NWBK 6016 1331 9268 19', 'FR14 2004 1010 0505 0001 3M02 606', 'NO93 8601 1117 947', 'MT84MALT011000012345MTLCAST001S', 'CH9300762011623852957'],
  email: ['ada@example.com', 'first.last+tag@mail.example.co.uk', 'x_y-z@sub-domain.example.org', "100%25@example.io"],
  phone: [
    '+14155552671', '+1 415 555 2671', '+1 (415) 555-2671', '(415) 555-2671', '415-555-2671', '415.555.2671', '1-800-555-0199', '+49 30 1234567', '+49 (0)30 1234567', '+44 20 7946 0958', '020 7946 0958', '07700 900123',
    '030 1234567', '0171/2345678', '(030) 1234567', '06 12 34 56 78', '06.12.34.56.78', '+33 6 12 34 56 78', '03-1234-5678', '0412 345 678', '0049 30 1234567', '+7 912 345-67-89', '+86 138 0013 8000', '+919876543210',
  ],
  us_ssn: ['123-45-6789', '078-05-1120'],
  uk_nino: ['AB123456C', 'AB 12 34 56 C'],
  ip_address: ['8.8.8.8', '203.0.113.7', '192.168.178.20', '2001:db8::1', '2001:0db8:85a3:0000:0000:8a2e:0370:7334', 'fe80::1ff:fe23:4567:890a', '::ffff:192.0.2.128'],
};

/** Matches that need their surroundings: [text, the match]. */
export const IN_CONTEXT: [DetectorName, string, string][] = [
  ['aws_secret_key', `AWS_SECRET_ACCESS_KEY=${letters.slice(0, 20)}/${letters.slice(0, 19)}`, `${letters.slice(0, 20)}/${letters.slice(0, 19)}`],
  ['aws_secret_key', `{"SecretAccessKey": "${letters.slice(0, 40)}"}`, letters.slice(0, 40)],
  ['aws_secret_key', `aws_secret_access_key = ${letters.slice(0, 40)}`, letters.slice(0, 40)],
  ['azure_key', `AZURE_OPENAI_API_KEY=${hex}`, hex],
  ['azure_key', `'api-key': '${hex}'`, hex],
  ['azure_key', `Ocp-Apim-Subscription-Key: ${hex}`, hex],
  ['azure_key', `DefaultEndpointsProtocol=https;AccountName=x;AccountKey=${(letters + letters).slice(0, 86)}==;`, `${(letters + letters).slice(0, 86)}==`],
  ['url_password', 'DATABASE_URL=postgres://app:' + 'n0t-s0-s3cret@db.example.com:5432/app', 'n0t-s0-s3cret'],
  ['url_password', 'redis://:' + 'hunter22@cache', 'hunter22'],
  ['assigned_secret', 'password: ' + 'Sommer2024!', 'Sommer2024!'],
  ['assigned_secret', '"client_secret": ' + '"q8W2e7R1t5"', 'q8W2e7R1t5'],
  ['assigned_secret', 'DB_PASSWORD=' + 'tr0ub4dor&3', 'tr0ub4dor'],
  ['assigned_secret', '{\\"token\\": ' + '\\"q8W2e7R1t5\\"}', 'q8W2e7R1t5'],
  ['assigned_secret', 'https://api.example.com/v1?api_key=' + 'q8W2e7R1t5&page=2', 'q8W2e7R1t5'],
];

/** What people write every day. No detector finds anything in it. */
export const ORDINARY: string[] = [
  'Meet me on 2024-01-15 at 10:30, or 15.01.2024 10:30:45, or 01/15/2024. The report of 20240115 is in 2024-01-15T10:30:45.123Z form.',
  'Order 4006381333931 shipped; tracking 1Z999AA10123456784; invoice 2024-000123; ISBN 978-3-16-148410-0; EAN 4012345678901.',
  'UUID 550e8400-e29b-41d4-a716-446655440000 and 123e4567-e89b-12d3-a456-426614174000, ULID 01ARZ3NDEKTSV4RRFFQ69G5FAV, id 018f3e1c-7b7a-7000-8000-000000000000.',
  'sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, md5 d41d8cd98f00b204e9800998ecf8427e, commit 9fceb02d0ae598e95dc970b74767f19372d61af8.',
  'Version 1.2.3, v10.20.30.40, release 1.2.3.4, version: 10.0.0.1; Chrome 120.0.6099.109; node 24.1.0-rc.1; python==3.12.1; range ^1.2.3 || >=2.0.0 <3.0.0.',
  'Pi is 3.14159265358979323846, e 2.718281828459045; a trillion is 1,000,000,000,000 or 1 000 000 000 000 or 1.000.000.000.000; -273.15 degrees; 1e-10; 0x7fffffff.',
  'Numbers: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; 01 02 03 04 05 06; 100 200 300 4000 5000; 16 32 64 128 256 512 1024 2048 4096.',
  'Epoch 1704067200, ms 1704067200000, us 1704067200000000, ns 1704067200000000000; snowflake 1193924843276034048; port 8080; localhost 127.0.0.1, 0.0.0.0, ::1, mask 255.255.255.0.',
  'const key = map.get(id); if (token === undefined) throw new Error("no token: " + name); const { password } = req.body; type Key = { apiKey: string; secret?: string };',
  'password = getPassword(user1); token: process.env.API_TOKEN_2; apiKey: config.keys.primary1; secret = "${SECRET_1}"; password: <your-password-1>; api_key=YOUR_API_KEY_123',
  'export OPENAI_API_KEY=sk-your-key-here; sk-xxxxxxxxxxxxxxxxxxxxxxxx; sk-ant-api03-xxxxxxxxxxxxxxxxxxxxxxxx; ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; AKIAXXXXXXXXXXXXXXXX',
  'sk-learn is imported as sklearn; the task-sk-runner-with-a-very-long-name-indeed package; npm_config_registry, npm_package_version, hf_hub_download, sk_live_view; eyJ is how JSON begins.',
  'std::vector<int> a; Foo::Bar::baz(); a ? b::c : d; Face::Bad; 12:34:56; 00:1a:2b:3c:4d:5e; ratio 16:9; {a:1,b:2}; see RFC 4291 2.2; x::y; dead::beef; ::before and ::after',
  'npm install react@18.2.0 @types/node@20; git clone git@github.com:org/repo.git; logo@2x.png; @Injectable() class A {}; foo@bar; user@localhost; a @ b; email me @ noon.',
  'The header line is -----BEGIN PRIVATE KEY----- and the last is -----END PRIVATE KEY-----. Between them stands base64. A -----BEGIN CERTIFICATE----- holds no secret.',
  '-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo\n-----END PUBLIC KEY-----',
  'SSN-like part 000-12-3456, 666-12-3456, 987-65-4321, 123-00-4567, 123-45-0000, 1123-45-6789, 123-45-67890, item 12-345-6789; DE12 is a road; GB82 WEST 1234 5698 7654 33; Q1 2024.',
  'Cards that are none: 4111 1111 1111 1112, 1234 5678 9012 3456, 0000 0000 0000 0000, 41111111111111111111, 4111.1111.1111.1111; 3.4111111111111111; AB123456E, BG123456A, ab123456c.',
  'Er wohnt in 10115 Berlin, Straße 12. 東京都千代田区1-1-1。価格は12,345円です！ Цена 1 234 567 ₽. El 50% de 1.234.567,89 €. 3/4 cup; 9-5 job; 24/7; 1990-2024; 555-1234; pages 100-200-300.',
  'https://example.com/path/2024/01/15/post-1234567890?id=42&page=3#top, http://user@host/, postgres://user:password@localhost/db, mysql://root:$DB_PASS@db, ftp://example.com:21/x',
  'SELECT * FROM t WHERE id = 1234567890 AND created_at > \'2024-01-15\'; UPDATE keys SET key = \'value\', monkey = 12345678; max_tokens: 4096, "total_tokens": 12345678',
  'diff --git a/x b/x\n@@ -1,7 +1,7 @@\n+2024-01-15 10:30 done\n+20240115\n-1234567\n+ 12 34 56 78 90\n+10 000 000 rows',
];
