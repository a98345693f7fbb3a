// Compiles matmul.ts with AssemblyScript: with and without fused multiply-add, for shared memory and for memory of one's own.
import asc from 'assemblyscript/asc';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';

const SOURCE = path.join(import.meta.dirname, 'matmul.ts');
const VARIANTS = {
  'matmul-simd': [],
  'matmul-relaxed': ['--enable', 'relaxed-simd'],
  'matmul-simd-shared': ['--sharedMemory'],
  'matmul-relaxed-shared': ['--enable', 'relaxed-simd', '--sharedMemory'],
};
// The memory is tfjs's: these limits only say that any will do.
const OPTIONS = ['-O3', '--runtime', 'stub', '--noAssert', '--importMemory', '--initialMemory', '1', '--maximumMemory', '65536', '--enable', 'simd,threads,bulk-memory'];
const DATA_SECTION = 11;

/** Writes the variants that are missing or older than their source. */
export async function buildKernels(folder) {
  await mkdir(folder, { recursive: true });
  const changed = Math.max(...(await Promise.all([SOURCE, import.meta.filename].map(async (file) => (await stat(file)).mtimeMs))));
  for (const [name, options] of Object.entries(VARIANTS)) {
    const file = path.join(folder, `${name}.wasm`);
    const written = await stat(file).then(({ mtimeMs }) => mtimeMs, () => 0);
    if (written < changed) await writeFile(file, await compile(options));
  }
}

async function compile(options) {
  let binary;
  const { error, stderr } = await asc.main(['matmul.ts', '--outFile', 'out.wasm', ...OPTIONS, ...options], {
    readFile: async (name) => (name === 'matmul.ts' ? readFile(SOURCE, 'utf8') : null),
    writeFile: (name, content) => {
      if (name === 'out.wasm') binary = content;
    },
    listFiles: () => [],
  });
  if (error) throw new Error(`${error.message}\n${stderr.toString()}`);
  if (sections(binary).includes(DATA_SECTION)) throw new Error('the kernels may not bring data of their own: it would be written over the memory of tfjs');
  return binary;
}

/** Ids of a wasm program's sections, in their order. */
function sections(binary) {
  const ids = [];
  let at = 8;
  while (at < binary.length) {
    ids.push(binary[at++]);
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = binary[at++];
      size |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    at += size;
  }
  return ids;
}
