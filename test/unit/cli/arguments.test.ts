import assert from 'node:assert/strict';
import { parseArguments } from '../../../src/cli/arguments';
import { HELP } from '../../../src/cli/help';
import { CircuitError } from '../../../src/shared/errors';
import { LOGIT_METRICS } from '../../../src/shared/experiment';
import { SITE_NAMES } from '../../../src/shared/sites';

function refuses(words: string[], message: RegExp): void {
  assert.throws(
    () => parseArguments(words),
    (error: unknown) => CircuitError.is(error, 'usage') && message.test(error.message),
    words.join(' '),
  );
}

describe('command line arguments', () => {
  const DEFAULTS = { pairs: [], overrides: {}, backend: 'auto', threads: 0, raw: false, top: 10, json: false };

  it('have defaults', () => {
    assert.deepEqual(parseArguments(['attribute', 'a.prompts.json']), { verb: 'attribute', files: ['a.prompts.json'], ...DEFAULTS });
    assert.deepEqual(parseArguments(['patch', 'a']), { verb: 'patch', file: 'a', ...DEFAULTS, sites: ['z'], full: false });
    assert.deepEqual(parseArguments(['attention', 'a', '--head', '9.6']), { verb: 'attention', file: 'a', ...DEFAULTS, heads: [{ layer: 9, head: 6 }] });
    for (const verb of ['lens', 'intervene']) assert.deepEqual(parseArguments([verb, 'a']), { verb, file: 'a', ...DEFAULTS });
    assert.deepEqual(parseArguments(['paths', 'a']), { verb: 'paths', file: 'a', ...DEFAULTS, edges: [], byPosition: false });
    const circuit = { verb: 'circuit', file: 'a', ...DEFAULTS, select: 'top', prune: true, curve: false, minimality: false, stability: false, random: 20, seed: 0 };
    assert.deepEqual(parseArguments(['circuit', 'a', '--edges', '5']), { ...circuit, size: { edges: 5 } });
    assert.deepEqual(parseArguments(['circuit', 'a', '--curve']), { ...circuit, curve: true });
    assert.deepEqual(parseArguments(['verify-published', 'gpt2']), { verb: 'verify-published', of: 'gpt2', backend: 'auto', threads: 0, json: false });
  });

  it('are all understood', () => {
    const common = '--pair 2 --pair swapped --model gpt2 --backend wasm-simd --threads 3 --direction noise --other mean --metric attention:9.6 --at END --source=-3 --no-bos --variant qk-fix,ig=5:left --variant freeze-pattern --stop mlp_out:0 --stop z:1.2@last --intervene z:9.6=other --intervene pattern:0.1@4<2=zero --top 5 --raw --json';
    const flags = {
      pairs: ['2', 'swapped'],
      model: 'gpt2',
      overrides: { metric: { activation: 'attention', layer: 9, head: 6 }, at: 'END', source: -3, direction: 'noise', other: 'mean', prependBos: false },
      variant: {
        fresh: false,
        fields: {
          qkFix: true,
          integrated: { steps: 5, rule: 'left' },
          freezePattern: true,
          stopGradient: [{ site: 'mlp_out', layer: 0 }, { site: 'z', layer: 1, head: 2, position: 'last' }],
          interventions: [
            { unit: { site: 'z', layer: 9, head: 6 }, with: 'corrupted' },
            { unit: { site: 'pattern', layer: 0, head: 1, position: 4, source: 2 }, with: 'zero' },
          ],
        },
      },
      backend: 'wasm-simd',
      threads: 3,
      raw: true,
      top: 5,
      json: true,
    };
    const words = common.split(' ');
    assert.deepEqual(parseArguments(['attribute', 'a.json', ...words, '--site', 'mlp_out,z', '--site', 'z,q', '--out', 'r.safetensors']), { verb: 'attribute', files: ['a.json'], ...flags, sites: ['mlp_out', 'z', 'q'], out: 'r.safetensors' });
    assert.deepEqual(parseArguments(['patch', 'a', ...words, '--site', 'pattern', '--over', 'cells', '--head', '5.1', '--full', '--out', 'r']), { verb: 'patch', file: 'a', ...flags, sites: ['pattern'], over: 'cells', head: { layer: 5, head: 1 }, full: true, out: 'r' });
    assert.deepEqual(parseArguments(['attention', 'a', ...words, '--head', '5.1,5.2', '--head', '0.0']), { verb: 'attention', file: 'a', ...flags, heads: [{ layer: 5, head: 1 }, { layer: 5, head: 2 }, { layer: 0, head: 0 }] });
    assert.deepEqual(parseArguments(['lens', 'a', ...words]), { verb: 'lens', file: 'a', ...flags });
    const edge = '--method eap-ig=7:midpoint --layer-norm receiver --out r --export g.DOT'.split(' ');
    const edgeFlags = { file: 'a', ...flags, method: { integrated: { steps: 7, rule: 'midpoint' }, layerNorm: 'receiver' }, out: 'r', exportTo: 'g.DOT' };
    assert.deepEqual(parseArguments(['paths', 'a', ...words, ...edge, '--into', 'logits', '--from', '9.9', '--exact', 'through-mlps']), { verb: 'paths', ...edgeFlags, into: 'logits', from: '9.9', edges: [], exact: 'throughMlps', byPosition: false });
    assert.deepEqual(parseArguments(['circuit', 'a', ...words, ...edge, ...'--percent 2.5 --select greedy --no-prune --ablation mean --curve --random 0 --seed 7 --minimality --acdc 0.05 --stability --evaluate b --name mine'.split(' ')]), {
      verb: 'circuit',
      ...edgeFlags,
      ...{ size: { percent: 2.5 }, select: 'greedy', prune: false, ablation: 'mean', curve: true, random: 0, seed: 7, minimality: true, acdc: 0.05, stability: true, evaluate: 'b', name: 'mine' },
    });
    assert.deepEqual(parseArguments(['verify-published', 'gpt2', '--model', './gpt2', '--circuit', 'ioi.json', '--json', '--threads', '2']), { verb: 'verify-published', of: 'gpt2', model: './gpt2', circuit: 'ioi.json', backend: 'auto', threads: 2, json: true });
    assert.deepEqual((parseArguments(['attribute', 'a', 'b', '--bos', '--', '--odd']) as { files: string[] }).files, ['a', 'b', '--odd']);
  });

  it('know every metric, variant and place in a word', () => {
    const overrides = (...words: string[]): unknown => (parseArguments(['lens', 'a', ...words]) as { overrides: unknown }).overrides;
    for (const metric of LOGIT_METRICS) assert.deepEqual(overrides('--metric', metric), { metric });
    assert.deepEqual(overrides('--metric', 'neuron:3#412'), { metric: { activation: 'neuron', layer: 3, neuron: 412 } });
    assert.deepEqual(overrides('--metric', 'directLogit:5'), { metric: { activation: 'directLogit', layer: 5 } });
    assert.deepEqual(overrides('--metric', 'directLogit:5.0'), { metric: { activation: 'directLogit', layer: 5, head: 0 } });
    assert.deepEqual(overrides('--range', 'S2,-2'), { range: ['S2', -2] });
    assert.deepEqual(overrides('--bos', '--other', 'zero'), { prependBos: true, other: 'zero' });
    const variant = (names: string): unknown => (parseArguments(['lens', 'a', '--variant', names]) as { variant: unknown }).variant;
    assert.deepEqual(variant('none,grad-drop'), { fresh: true, fields: { gradDrop: true } });
    assert.deepEqual(variant('freeze-layernorm,both-gradients'), { fresh: false, fields: { freezeLayerNorm: true, bothGradients: true } });
    assert.deepEqual(variant('ig=8'), { fresh: false, fields: { integrated: { steps: 8, rule: 'midpoint' } } });
  });

  it('know every way to attribute edges', () => {
    const method = (...words: string[]): unknown => (parseArguments(['paths', 'a', ...words]) as { method?: unknown }).method;
    assert.deepEqual(method('--method', 'eap'), {});
    assert.deepEqual(method('--method', 'clean-corrupted', '--layer-norm', 'all'), { bothGradients: true, layerNorm: 'all' });
    for (const name of ['eap-ig', 'eap-ig=5', 'eap-ig=5:left']) assert.deepEqual(method('--method', name), { integrated: { steps: 5, rule: 'left' } });
    assert.deepEqual(method('--layer-norm', 'full'), { integrated: { steps: 5, rule: 'left' } });
  });

  it('are named in the help, every one', () => {
    const words = ['pair', 'model', 'direction', 'other', 'metric', 'at', 'source', 'range', 'variant', 'stop', 'intervene', 'bos', 'no-bos', 'backend', 'threads', 'native-folder', 'raw', 'top', 'site', 'out', 'json', 'over', 'full', 'head', 'help', 'version', 'method', 'layer-norm', 'export', 'into', 'from', 'edge', 'exact', 'by-position', 'edges', 'percent', 'threshold', 'select', 'no-prune', 'ablation', 'curve', 'random', 'seed', 'minimality', 'acdc', 'stability', 'evaluate', 'import', 'name', 'circuit'];
    for (const word of [...words.map((name) => `--${name}`), ...LOGIT_METRICS, ...SITE_NAMES]) assert.ok(HELP.includes(word), word);
    assert.ok(HELP.split('\n').every((line) => line.length <= 100), HELP.split('\n').find((line) => line.length > 100));
  });

  it('name a native backend and the folder it lies in', () => {
    for (const [verb, file] of [['attribute', 'a'], ['patch', 'a'], ['paths', 'a'], ['verify-published', 'gpt2']] as const) {
      const { backend, nativeFolder } = parseArguments([verb, file, '--backend', 'native-gpu', '--native-folder', '~/native']) as { backend?: unknown; nativeFolder?: unknown };
      assert.deepEqual([backend, nativeFolder], ['native-gpu', '~/native'], verb);
    }
  });

  it('know the other verbs, help and version', () => {
    assert.deepEqual(parseArguments(['models', '--json']), { verb: 'models', json: true });
    for (const words of [['--help'], ['-h'], ['attribute', '--help'], ['patch', '-h'], ['attention', '--help'], ['lens', '-h'], ['paths', '-h'], ['circuit', '-h'], ['verify-published', '-h'], ['models', '-h']]) assert.deepEqual(parseArguments(words), { verb: 'help' });
    for (const words of [['--version'], ['attribute', '--version']]) assert.deepEqual(parseArguments(words), { verb: 'version' });
  });

  it('are refused with what would be right', () => {
    refuses([], /Say what to do/);
    refuses(['--json'], /Say what to do/);
    refuses(['atribute', 'a'], /no verb "atribute"/);
    refuses(['attribute'], /at least one prompt file/);
    refuses(['attribute', 'a', '--frobnicate'], /There is no option --frobnicate here\.$/);
    refuses(['attribute', 'a', '--json=yes'], /--json takes no value\.$/);
    refuses(['attribute', 'a', '--direction', 'sideways'], /--direction is one of denoise, noise, not "sideways"/);
    refuses(['attribute', 'a', '--metric', 'accuracy'], /--metric is one of logitDiff, .*attention:LAYER\.HEAD.*, not "accuracy"/);
    refuses(['attribute', 'a', '--backend', 'cuda'], /--backend is one of auto/);
    refuses(['attribute', 'a', '--site', 'z,y'], /--site is one of z, q.*, not "y"/);
    for (const metric of ['attention:9', 'attention:9.6#1', 'neuron:3', 'neuron:3.1', 'directLogit', 'directLogit:1#2']) refuses(['lens', 'a', '--metric', metric], /--metric is one of/);
    for (const variant of ['ig', 'ig=2:simpson', 'frozen']) refuses(['attribute', 'a', '--variant', variant], /--variant is one of freeze-layernorm/);
    for (const steps of ['0', '513', '100000']) {
      refuses(['attribute', 'a', '--variant', `ig=${steps}`], new RegExp(`^--variant ig takes 1 to 512 steps, not ${steps}\\.$`));
      refuses(['paths', 'a', '--method', `eap-ig=${steps}`], new RegExp(`^--method eap-ig takes 1 to 512 steps, not ${steps}\\.$`));
    }
    refuses(['attribute', 'a', '--stop', 'embed:1'], /--stop: embed:1: embed has no layers/);
    for (const value of ['z:9.6', 'z:9.6=corrupt']) refuses(['intervene', 'a', '--intervene', value], /--intervene is UNIT=other/);
    refuses(['intervene', 'a', '--intervene', 'z=mean'], /--intervene: z: z has layers/);
    refuses(['attribute', 'a', '--at', '-1'], /--at needs a value; .* --at=-1\.$/);
    refuses(['attribute', 'a', '--at', ''], /not empty/);
    refuses(['attribute', 'a', '--range', '1'], /FIRST,LAST/);
    refuses(['attribute', 'a', '--other', 'zero', '--direction', 'denoise'], /--direction noise/);
    refuses(['attribute', 'a', '--over', 'all'], /--over/);
    refuses(['patch', 'a', 'b'], /patch takes one file/);
    refuses(['patch', 'a', '--over', 'rows'], /--over is one of/);
    refuses(['patch', 'a', '--over', 'cells', '--site', 'pattern'], /go together/);
    refuses(['patch', 'a', '--head', '1.1'], /go together/);
    refuses(['patch', 'a', '--over', 'cells', '--head', '1.1'], /for pattern and scores, not z/);
    refuses(['patch', 'a', '--over', 'last', '--site', 'mlp_out'], /mlp_out has none/);
    refuses(['patch', 'a', '--over', 'neurons'], /for mlp_post, not z/);
    refuses(['attention', 'a'], /at least one head/);
    refuses(['attention', 'a', '--head', '9'], /LAYER\.HEAD, such as 9\.6, not "9"/);
    refuses(['lens'], /lens takes one file/);
    refuses(['attribute', 'a', '--threads', '1.5'], /--threads is a whole number/);
    refuses(['attribute', 'a', '--threads', 'Infinity'], /--threads is a whole number/);
    refuses(['attribute', 'a', '--top', '0'], /--top is a whole number, 1 or more/);
    refuses(['attribute', 'a', '--top'], /--top needs a value/);
    refuses(['attribute', 'a', '--bos', '--no-bos'], /contradict/);
    refuses(['attribute', 'a', 'b', '--out', 'r'], /--out takes one run/);
    for (const name of ['ig', 'eap-ig=5:simpson', 'eap=3']) refuses(['paths', 'a', '--method', name], /--method is eap, eap-ig, .*, not "/);
    refuses(['paths', 'a', '--layer-norm', 'none'], /--layer-norm is one of full, receiver, all/);
    refuses(['paths', 'a', '--exact', 'directFrozen'], /--exact is one of direct, direct-frozen, through-mlps/);
    refuses(['paths', 'a', '--by-position'], /one edge: --edge NAME/);
    refuses(['paths', 'a', '--by-position', '--edge', 'x', '--edge', 'y'], /one edge/);
    refuses(['paths', 'a', '--by-position', '--edge', 'x', '--exact', 'direct'], /estimates only/);
    refuses(['paths', 'a', '--edge', 'x', '--into', 'logits'], /give one or the other/);
    for (const file of ['graph', 'graph.png', 'a.json/graph']) refuses(['paths', 'a', '--export', file], /--export writes FILE\.json/);
    refuses(['circuit', 'a'], /Say which circuit/);
    refuses(['circuit', 'a', '--edges', '5', '--percent', '5'], /give one/);
    refuses(['circuit', 'a', '--edges', '0'], /--edges is a whole number, 1 or more/);
    for (const share of ['101', '-1', 'half', '']) refuses(['circuit', 'a', `--percent=${share}`], /--percent is a number, from 0 to 100/);
    refuses(['circuit', 'a', '--threshold', 'Infinity'], /--threshold is a number, 0 or more/);
    refuses(['circuit', 'a', '--threshold', '1', '--select', 'top'], /--threshold takes every edge/);
    for (const flags of [['--minimality'], ['--acdc', '1'], ['--stability'], ['--export', 'g.dot'], ['--name', 'x']]) refuses(['circuit', 'a', '--curve', ...flags], /concerns one circuit/);
    refuses(['circuit', 'a', '--import', 'g.json', '--edges', '5'], /a circuit of its own/);
    refuses(['circuit', 'a', '--import', 'g.json', '--stability'], /not selected/);
    refuses(['circuit', 'a', '--import', 'g.json', '--no-prune'], /run as it is/);
    refuses(['circuit', 'a', '--edges', '5', '--ablation', 'noise'], /--ablation is one of corrupted, zero, mean, resample/);
    refuses(['verify-published', 'gpt3'], /gpt2 is the one/);
    refuses(['verify-published'], /gpt2 is the one/);
    refuses(['models', 'gpt2'], /nothing to do with "gpt2" here/);
    refuses(['attribute', 'a', '--top', '-3'], /--top needs a value; one that begins with a dash/);
  });
});
