import * as tf from '@tensorflow/tfjs-core';
import { PACK_MATRIX, PACKED_MATMUL, type PackedProduct } from '../backend/kernels/packed';
import { valuesInPlace } from './heapValues';

/** A weight W [in, out], held in the layout that its backend multiplies quickest, and in no other. */
export interface Matrix {
  /** [in, out] */
  readonly shape: readonly [number, number];
  /** x·W + bias: [rows, in] → [rows, out]. */
  times(x: tf.Tensor2D, bias?: tf.Tensor1D): tf.Tensor2D;
  /** y·Wᵀ: [rows, out] → [rows, in]. */
  transposedTimes(y: tf.Tensor2D): tf.Tensor2D;
  /** A copy, row by row: [in, out]. */
  copy(): tf.Tensor2D;
  /** Its columns, `width` at a time, [columns / width, in, width], each row times its factor if there is `rowFactors`; written to `into`. */
  copyColumns(width: number, into: Float32Array, rowFactors?: Float32Array): void;
  dispose(): void;
}

/** Holds `values`, which it takes over: the caller no longer uses nor disposes them. */
export function matrix(values: tf.Tensor2D): Matrix {
  return tf.getKernel(PACK_MATRIX, tf.getBackend()) ? new PackedMatrix(values) : new PlainMatrix(values);
}

class PlainMatrix implements Matrix {
  constructor(private readonly values: tf.Tensor2D) {}

  get shape(): [number, number] {
    return this.values.shape;
  }

  times(x: tf.Tensor2D, bias?: tf.Tensor1D): tf.Tensor2D {
    return tf.fused.matMul({ a: x, b: this.values, bias }) as tf.Tensor2D;
  }

  transposedTimes(y: tf.Tensor2D): tf.Tensor2D {
    return tf.matMul(y, this.values, false, true);
  }

  copy(): tf.Tensor2D {
    return this.values.clone();
  }

  copyColumns(width: number, into: Float32Array, rowFactors?: Float32Array): void {
    const [rows, columns] = this.shape;
    const values = valuesInPlace(this.values);
    for (let row = 0; row < rows; row++) {
      const factor = rowFactors?.[row] ?? 1;
      for (let group = 0; group < columns / width; group++) {
        const target = (group * rows + row) * width;
        for (let i = 0; i < width; i++) into[target + i] = factor * values[row * columns + group * width + i]!;
      }
    }
  }

  dispose(): void {
    this.values.dispose();
  }
}

class PackedMatrix implements Matrix {
  readonly shape: readonly [number, number];
  /** [panels of 8 columns, in, 8] */
  private readonly panels: tf.Tensor3D;

  constructor(values: tf.Tensor2D) {
    this.shape = values.shape;
    this.panels = run(PACK_MATRIX, { x: values }) as tf.Tensor3D;
    values.dispose();
  }

  times(x: tf.Tensor2D, bias?: tf.Tensor1D): tf.Tensor2D {
    return this.product({ x, weight: this.panels, ...(bias && { bias }) }, false);
  }

  transposedTimes(y: tf.Tensor2D): tf.Tensor2D {
    return this.product({ x: y, weight: this.panels }, true);
  }

  copy(): tf.Tensor2D {
    const [rows, columns] = this.shape;
    return tf.tidy(() => {
      const [panels, , width] = this.panels.shape;
      return tf.slice(tf.reshape(tf.transpose(this.panels, [1, 0, 2]), [rows, panels * width]) as tf.Tensor2D, [0, 0], [rows, columns]);
    });
  }

  copyColumns(width: number, into: Float32Array, rowFactors?: Float32Array): void {
    const [rows, columns] = this.shape;
    const [, , broad] = this.panels.shape;
    const values = valuesInPlace(this.panels);
    const whole = width % broad === 0 && broad % 4 === 0 ? Math.floor(columns / width) : 0;
    for (let group = 0; group < whole; group++) {
      for (let row = 0; row < rows; row++) {
        const factor = rowFactors ? rowFactors[row]! : 1;
        let target = (group * rows + row) * width;
        for (let from = (group * width * rows) + row * broad; target < (group * rows + row + 1) * width; from += (rows - 1) * broad) {
          for (const end = target + broad; target < end; target += 4, from += 4) {
            into[target] = factor * values[from]!;
            into[target + 1] = factor * values[from + 1]!;
            into[target + 2] = factor * values[from + 2]!;
            into[target + 3] = factor * values[from + 3]!;
          }
        }
      }
    }
    for (let column = whole * width; column < columns; column++) {
      const target = Math.floor(column / width) * rows * width + (column % width);
      const from = Math.floor(column / broad) * rows * broad + (column % broad);
      for (let row = 0; row < rows; row++) into[target + row * width] = (rowFactors ? rowFactors[row]! : 1) * values[from + row * broad]!;
    }
  }

  dispose(): void {
    this.panels.dispose();
  }

  private product(inputs: PackedProduct['inputs'], transposed: boolean): tf.Tensor2D {
    const attrs: PackedProduct['attrs'] = { columns: this.shape[1], transposed };
    return run(PACKED_MATMUL, inputs, attrs) as tf.Tensor2D;
  }
}

function run(kernel: string, inputs: object, attrs: object = {}): tf.Tensor {
  return tf.engine().runKernel(kernel, inputs as tf.NamedTensorMap, attrs as tf.NamedAttrMap) as tf.Tensor;
}
