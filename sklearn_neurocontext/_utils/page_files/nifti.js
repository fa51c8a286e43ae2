// Read the NIfTI files that the server sends.

// Data types of NIfTI: code of the type, and the array that holds it.
const ARRAYS = { 2: Uint8Array, 16: Float32Array };

// Return {shape, data, origin, step}: voxel i of an axis is at origin + i * step, in mm.
// The server sends images without rotation, so that each axis has its own step.
export async function readNifti(response) {
  const stream = response.body.pipeThrough(new DecompressionStream("gzip"));
  const buffer = await new Response(stream).arrayBuffer();
  const header = new DataView(buffer);
  const shape = [1, 2, 3].map((axis) => header.getInt16(40 + 2 * axis, true));
  const affine = (row, column) => header.getFloat32(280 + 16 * row + 4 * column, true);
  const offset = header.getFloat32(108, true);
  const data = new ARRAYS[header.getInt16(70, true)](
    buffer.slice(offset),
    0,
    shape[0] * shape[1] * shape[2],
  );
  return {
    shape,
    data,
    origin: [0, 1, 2].map((row) => affine(row, 3)),
    step: [0, 1, 2].map((row) => affine(row, row)),
  };
}

// Return the projection of an image along an axis, as an image with one voxel on this axis.
// `combine` is called with two values and returns the one to keep.
export function project(img, axis, combine) {
  const shape = img.shape.slice();
  shape[axis] = 1;
  const data = new Float32Array(shape[0] * shape[1] * shape[2]);
  const [nx, ny, nz] = img.shape;
  const strides = [1, shape[0], shape[0] * shape[1]];
  strides[axis] = 0;
  let place = 0;
  for (let k = 0; k < nz; k++) {
    for (let j = 0; j < ny; j++) {
      for (let i = 0; i < nx; i++) {
        const to = i * strides[0] + j * strides[1] + k * strides[2];
        data[to] = combine(data[to], img.data[place++]);
      }
    }
  }
  return { ...img, shape, data };
}

// Return the two voxels around each position on an axis, and the weight of the second.
function neighbors(img, axis, positions) {
  const last = img.shape[axis] - 1;
  const near = new Int32Array(positions.length);
  const weights = new Float32Array(positions.length);
  positions.forEach((position, n) => {
    const index = (position - img.origin[axis]) / img.step[axis];
    const below = Math.floor(index);
    near[n] = last === 0 ? 0 : below < 0 || below >= last ? -1 : below;
    weights[n] = last === 0 ? 0 : index - below;
  });
  return { near, weights };
}

// Return the values of an image at all positions of a slice, by linear interpolation.
// `positions` lists the positions on each axis in mm; one axis has a single position.
// The first axis varies fastest. Positions outside of the image have the value 0.
export function sample(img, positions) {
  const axes = positions.map((one, axis) => neighbors(img, axis, one));
  const [nx, ny] = img.shape;
  const strides = [1, nx, nx * ny].map((s, axis) => (img.shape[axis] > 1 ? s : 0));
  const values = new Float32Array(positions.reduce((n, one) => n * one.length, 1));
  let n = 0;
  for (let c = 0; c < positions[2].length; c++) {
    for (let b = 0; b < positions[1].length; b++) {
      for (let a = 0; a < positions[0].length; a++, n++) {
        const i = axes[0].near[a], j = axes[1].near[b], k = axes[2].near[c];
        if (i < 0 || j < 0 || k < 0) continue;
        const u = axes[0].weights[a], v = axes[1].weights[b], w = axes[2].weights[c];
        const at = i * strides[0] + j * strides[1] + k * strides[2];
        const along = (from) =>
          (1 - u) * img.data[from] + (u ? u * img.data[from + strides[0]] : 0);
        const plane = (from) =>
          (1 - v) * along(from) + (v ? v * along(from + strides[1]) : 0);
        values[n] = (1 - w) * plane(at) + (w ? w * plane(at + strides[2]) : 0);
      }
    }
  }
  return values;
}
