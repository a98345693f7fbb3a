import { readFile } from 'node:fs/promises';

/** Names and sizes in bytes of the files in a VSIX (a zip), from its central directory. The extension's own lie under `extension/`. */
export async function packedFiles(vsix: string): Promise<Map<string, number>> {
  const zip = await readFile(vsix);
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  const files = new Map<string, number>();
  let entry = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const nameLength = zip.readUInt16LE(entry + 28);
    files.set(zip.toString('utf8', entry + 46, entry + 46 + nameLength), zip.readUInt32LE(entry + 24));
    entry += 46 + nameLength + zip.readUInt16LE(entry + 30) + zip.readUInt16LE(entry + 32);
  }
  return files;
}
