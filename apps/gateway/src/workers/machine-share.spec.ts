import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cpuQuota, workerCount, type MachineShare } from './machine-share.ts';

const GIB = 1024 ** 3;
const quotaWith = (files: Record<string, string>): number | null => cpuQuota((path) => files[path] ?? null);

describe('the quota of processor time', () => {
  test.each<[string, Record<string, string>, number | null]>([
    ['a container', { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': '200000 100000\n' }, 2],
    ['a container that may use half a processor', { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': '50000 100000\n' }, 0.5],
    ['a container without one', { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': 'max 100000\n' }, null],
    ['a service', { '/proc/self/cgroup': '0::/system.slice/deja.service\n', '/sys/fs/cgroup/system.slice/deja.service/cpu.max': '150000 100000\n' }, 1.5],
    ['a group within a tighter one', { '/proc/self/cgroup': '0::/a/b\n', '/sys/fs/cgroup/a/b/cpu.max': '800000 100000\n', '/sys/fs/cgroup/a/cpu.max': '300000 100000\n', '/sys/fs/cgroup/cpu.max': 'max 100000\n' }, 3],
    ['a container that sees its name from outside', { '/proc/self/cgroup': '0::/kubepods/pod1/c1\n', '/sys/fs/cgroup/cpu.max': '400000 100000\n' }, 4],
    ['an older container', { '/proc/self/cgroup': '9:memory:/docker/c1\n4:cpuacct,cpu:/docker/c1\n', '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '250000\n', '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n' }, 2.5],
    ['an older container without one', { '/proc/self/cgroup': '2:cpu:/\n1:cpuacct:/\n0::/\n', '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n', '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n' }, null],
    ['a system without control groups', {}, null],
    ['files that say something else', { '/proc/self/cgroup': 'x\n0::/\n', '/sys/fs/cgroup/cpu.max': '100000 0\n' }, null],
  ])('is found for %s', (_what, files, expected) => {
    expect(quotaWith(files)).toBe(expected);
  });

  test('is the least of all groups that a process is in, however many there are and whatever their names', () => {
    const group = fc.record({ name: fc.stringMatching(/^[a-z.@-]{1,8}$/), quota: fc.option(fc.integer({ min: 1000, max: 10_000_000 })) });
    fc.assert(fc.property(fc.array(group, { maxLength: 6 }), (groups) => {
      const files: Record<string, string> = { '/proc/self/cgroup': `0::/${groups.map(({ name }) => name).join('/')}\n` };
      let path = '/sys/fs/cgroup';
      for (const { name, quota } of groups) files[`${(path += `/${name}`)}/cpu.max`] = `${quota ?? 'max'} 100000\n`;
      const quotas = groups.flatMap(({ quota }) => (quota === null ? [] : [quota / 100_000]));
      expect(quotaWith(files)).toBe(quotas.length === 0 ? null : Math.min(...quotas));
    }));
  });
});

describe('the number of workers', () => {
  const auto = (share: Partial<MachineShare>): number => workerCount('auto', () => ({ processors: 8, cpuQuota: null, memoryBytes: 64 * GIB, ...share }));

  test('is what was asked for, and then nobody looks at the machine', () => {
    expect(workerCount(3, () => { throw new Error('looked'); })).toBe(3);
  });

  test.each<[Partial<MachineShare>, number]>([
    [{}, 8], [{ processors: 1 }, 1],
    [{ cpuQuota: 2 }, 2], [{ cpuQuota: 1.9 }, 1], [{ cpuQuota: 0.25 }, 1], [{ cpuQuota: 100 }, 8],
    [{ memoryBytes: GIB }, 4], [{ memoryBytes: GIB / 8 }, 1], [{ memoryBytes: GIB, cpuQuota: 3 }, 3],
  ])('is, by itself, one for each whole processor and 256 MiB that it may use, of %j: %i', (share, expected) => {
    expect(auto(share)).toBe(expected);
  });

  test('is, on this machine, at least one and at most one for each processor', () => {
    expect(workerCount('auto')).toBeGreaterThanOrEqual(1);
  });
});
