import tseslint from 'typescript-eslint';

/**
 * The arrows between rooms (docs/architecture.md) as import rules. `rooms` may not be named in an import path of `files`;
 * `modules` are packages that the room must not load.
 */
function room(files, { rooms = [], modules = [], message }) {
  const patterns = [];
  if (rooms.length > 0) patterns.push({ regex: `^\\.{1,2}/(.*/)?(${rooms.join('|')})(/|$)`, message });
  if (modules.length > 0) patterns.push({ regex: `^(${modules.join('|')})(/|$)`, message });
  return { files, rules: { 'no-restricted-imports': ['error', { patterns }] } };
}

const NODE = ['node:.*', 'fs', 'path', 'os', 'child_process', 'worker_threads', 'crypto', 'url', 'util', 'stream'];
const VSCODE = ['vscode'];
const TFJS = ['@tensorflow'];
const TOKENIZERS = ['@huggingface/tokenizers'];

export default tseslint.config(
  { ignores: ['dist/**', 'out/**', 'node_modules/**', '.vscode-test/**', 'src/engine/backend/kernels/assembly/*.ts'] },
  ...tseslint.configs.recommended,
  {
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      eqeqeq: 'error',
    },
  },
  room(['src/shared/**'], {
    rooms: ['prompts', 'engine', 'models', 'runner', 'runs', 'bridge', 'editor', 'webview'],
    modules: [...VSCODE, ...NODE, ...TFJS, ...TOKENIZERS, 'd3.*', 'jsonc-parser'],
    message: 'shared crosses every boundary and imports nothing.',
  }),
  room(['src/prompts/**'], {
    rooms: ['engine', 'models', 'runner', 'runs', 'bridge', 'editor', 'webview'],
    modules: [...VSCODE, ...NODE, ...TFJS, ...TOKENIZERS],
    message: 'prompts is pure and knows only shared.',
  }),
  room(['src/engine/**'], {
    rooms: ['prompts', 'models', 'runner', 'runs', 'bridge', 'editor', 'webview'],
    modules: [...VSCODE, ...TOKENIZERS],
    message: 'engine knows token ids and shared, nothing above it.',
  }),
  room(['src/models/**'], {
    rooms: ['prompts', 'engine', 'runner', 'runs', 'bridge', 'editor', 'webview'],
    modules: [...VSCODE, ...TFJS],
    message: 'models finds files and cuts text; it knows only shared.',
  }),
  room(['src/runs/**'], {
    rooms: ['prompts', 'engine', 'models', 'runner', 'bridge', 'editor', 'webview'],
    modules: [...VSCODE, ...TFJS, ...TOKENIZERS],
    message: 'runs keeps runs on disk; it knows only shared.',
  }),
  room(['src/runner/**'], {
    rooms: ['editor', 'webview', 'engine/(backend|model|patching)'],
    modules: [...VSCODE, ...TFJS, ...TOKENIZERS],
    message: 'runner sits between the faces and the engine client; it knows neither VS Code nor tfjs.',
  }),
  room(['src/editor/**'], {
    rooms: ['webview', 'engine/(backend|model|patching)'],
    modules: [...TFJS, ...TOKENIZERS],
    message: 'the editor reaches the engine through the runner only.',
  }),
  room(['src/cli/**', 'src/cli.ts'], {
    rooms: ['editor', 'webview', 'engine/(backend|model|patching)'],
    modules: [...VSCODE, ...TFJS, ...TOKENIZERS],
    message: 'the command line reaches the engine through the runner only and knows no VS Code.',
  }),
  room(['webview/**'], {
    rooms: ['prompts', 'engine', 'models', 'runner', 'runs', 'bridge', 'editor'],
    modules: [...VSCODE, ...NODE, ...TFJS, ...TOKENIZERS],
    message: 'the webview imports src/shared and nothing else of src.',
  }),
);
