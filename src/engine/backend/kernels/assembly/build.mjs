// Compiles index.ts with AssemblyScript, for shared memory and for memory of one's own: with fused multiply-add or without, and with
// larger tiles for V8s that make 256-bit operations of it (../wide.ts).
import asc from 'assemblyscript/asc';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';

const FOLDER = import.meta.dirname;
const RELAXED = ['--enable', 'relaxed-simd'];
const VARIANTS = {
  simd: { options: [], tile: 'tileNarrow.ts' },
  relaxed: { options: RELAXED, tile: 'tileNarrow.ts' },
  wide: { options: RELAXED, tile: 'tileWide.ts' },
};
const MEMORIES = { '': [], '-shared': ['--sharedMemory'] };
// The memory is tfjs's: these limits only say that any will do.
const OPTIONS = ['-O3', '--runtime', 'stub', '--noAssert', '--importMemory', '--initialMemory', '1', '--maximumMemory', '65536', '--enable', 'simd,threads,bulk-memory'];
const DATA_SECTION = 11;

/** Writes the variants that are missing or older than their source. */
export async function buildKernels(folder) {
  await mkdir(folder, { recursive: true });
  const sources = (await readdir(FOLDER)).map((name) => path.join(FOLDER, name));
  const changed = Math.max(...(await Promise.all(sources.map(async (file) => (await stat(file)).mtimeMs))));
  for (const [variant, { options, tile }] of Object.entries(VARIANTS)) {
    for (const [suffix, memory] of Object.entries(MEMORIES)) {
      const file = path.join(folder, `kernels-${variant}${suffix}.wasm`);
      const written = await stat(file).then(({ mtimeMs }) => mtimeMs, () => 0);
      if (written < changed) await writeFile(file, await compile([...options, ...memory], tile));
    }
  }
}

/** `tile`: the file that takes the place of tileNarrow.ts. */
async function compile(options, tile) {
  let binary;
  const { error, stderr } = await asc.main(['index.ts', '--outFile', 'out.wasm', ...OPTIONS, ...options], {
    readFile: (name) => readFile(path.join(FOLDER, name === 'tileNarrow.ts' ? tile : name), 'utf8').catch(() => null),
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
