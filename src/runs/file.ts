import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { CircuitError } from '../shared/errors';
import type { Run, RunManifest } from '../shared/run';
import { decodeHeader, decodeRun, encodeRun, headerLength, PREFIX_BYTES } from './format';

/** Larger than any run we write; Node reads no larger file in one piece. */
const LARGEST_FILE = 2 ** 31 - 1;

/**
 * Writes a run to a file of the given name, making its folder if need be. Whoever reads the file meanwhile sees the
 * old one or the new one, never half: it is written under another name in the same folder, then renamed.
 * Throws `storage`.
 */
export async function writeRunFile(file: string, run: Run): Promise<void> {
  const bytes = encodeRun(run);
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${randomUUID()}.tmp`);
  try {
    await mkdir(path.dirname(file), { recursive: true });
    try {
      const handle = await open(temporary, 'wx');
      try {
        await handle.writeFile(bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, file);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined); // the first error is the one to tell
      throw error;
    }
  } catch (cause) {
    throw new CircuitError('storage', `The run could not be written to ${file} (${reasonOf(cause)}). Check that the folder is writable and has room.`, { cause });
  }
}

/** Throws `run-file` when there is no such file or it is no sound run. */
export async function readRunFile(file: string): Promise<Run> {
  return reading(file, async (handle, size) => {
    if (size > LARGEST_FILE) throw new CircuitError('run-file', `This file has ${size} bytes, more than any run.`);
    return decodeRun(await handle.readFile());
  });
}

/** The manifest alone, without reading the numbers. Throws as `readRunFile`. */
export async function readRunManifest(file: string): Promise<RunManifest> {
  return reading(file, async (handle, size) => {
    const prefix = await readBytes(handle, 0, Math.min(PREFIX_BYTES, size));
    const length = headerLength(prefix, size);
    const header = await readBytes(handle, PREFIX_BYTES, length);
    return decodeHeader(header, size - PREFIX_BYTES - length).manifest;
  });
}

async function reading<T>(file: string, read: (handle: FileHandle, size: number) => Promise<T>): Promise<T> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, 'r');
    return await read(handle, (await handle.stat()).size);
  } catch (cause) {
    const why = CircuitError.is(cause) ? cause.message : `The run could not be read (${reasonOf(cause)}).`;
    throw new CircuitError('run-file', `${file}: ${why}`, { cause });
  } finally {
    await handle?.close();
  }
}

async function readBytes(handle: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) throw new CircuitError('run-file', 'The file ended while it was being read.');
    done += bytesRead;
  }
  return bytes;
}

/** What the operating system said, as a person reads it. */
function reasonOf(error: unknown): string {
  switch ((error as NodeJS.ErrnoException | undefined)?.code) {
    case 'ENOENT':
      return 'there is no such file or folder';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    case 'EROFS':
      return 'the file system is read-only';
    case 'ENOSPC':
      return 'the disk is full';
    case 'ENOTDIR':
    case 'EEXIST':
      return 'a file is where a folder should be';
    case 'EISDIR':
      return 'it is a folder';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
