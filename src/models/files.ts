import { stat } from 'node:fs/promises';

/** What a read gives, or `otherwise` when the file or folder is not there. Other errors pass. */
export async function ignoreMissing<T>(read: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await read;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return otherwise;
    throw error;
  }
}

/** True for a file, also at the end of a link; false when it is missing or a link into nowhere. */
export async function isFile(file: string): Promise<boolean> {
  return (await ignoreMissing(stat(file), undefined))?.isFile() ?? false;
}

export async function isFolder(folder: string): Promise<boolean> {
  return (await ignoreMissing(stat(folder), undefined))?.isDirectory() ?? false;
}
