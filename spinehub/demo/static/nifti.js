/* Voxels the server wrote for this page: decoding, and the two voxel orders that meet here.

   File order: (i, j, k) of the server's array, i fastest. RAS order: NiiVue's textures, x fastest, growing to the
   right, front and head. `order` holds the strides from one to the other. */
(function () {
  "use strict";
  const NS = (window.spinehub = window.spinehub || {});
  const HEADER_DATATYPE = 70, HEADER_OFFSET = 108, FLOAT32 = 16;

  /* Float32 voxels of a gzipped NIfTI-1 file, in file order. */
  NS.fetchFloat32 = async function (url) {
    const response = await fetch(url);
    if (!response.ok) throw new Error("the server no longer has this file; reload the page");
    const plain = response.body.pipeThrough(new DecompressionStream("gzip"));
    const buffer = await new Response(plain).arrayBuffer();
    const header = new DataView(buffer);
    if (header.getInt16(HEADER_DATATYPE, true) !== FLOAT32) throw new Error("expected float32 voxels");
    return new Float32Array(buffer, header.getFloat32(HEADER_OFFSET, true));
  };

  /* Strides that read file order while walking in RAS order, for a volume NiiVue has loaded. */
  NS.rasOrder = function (volume) {
    const perm = volume.permRAS, dims = volume.hdr.dims;
    const fileStep = [1, dims[1], dims[1] * dims[2]];
    const size = [0, 1, 2].map((axis) => dims[Math.abs(perm[axis])]);
    const step = [0, 1, 2].map((axis) => fileStep[Math.abs(perm[axis]) - 1] * Math.sign(perm[axis]));
    const start = [0, 1, 2].reduce((sum, axis) => sum + (perm[axis] < 0 ? -step[axis] * (size[axis] - 1) : 0), 0);
    return { size, step, start };
  };

  /* Call visit(file index, RAS index) for every voxel, in RAS order. */
  NS.eachVoxel = function (order, visit) {
    const [nx, ny, nz] = order.size, [sx, sy, sz] = order.step;
    let ras = 0;
    for (let z = 0; z < nz; z++) {
      for (let y = 0; y < ny; y++) {
        let file = order.start + z * sz + y * sy;
        for (let x = 0; x < nx; x++, file += sx) visit(file, ras++);
      }
    }
  };

  NS.toRas = function (values, order) {
    const out = new Float32Array(values.length);
    NS.eachVoxel(order, (file, ras) => { out[ras] = values[file]; });
    return out;
  };

  /* Position in mm to the voxel index (i, j, k) of the file; `inverse` is the server's 4 x 4 matrix. */
  NS.indexOf = function (inverse, mm) {
    return [0, 1, 2].map((row) => Math.floor(
      inverse[row][0] * mm[0] + inverse[row][1] * mm[1] + inverse[row][2] * mm[2] + inverse[row][3] + 0.5));
  };

  /* The series with its baseline subtracted, as raw int16 voxels: the scaling of the file stays valid, its offset
     cancels. `baseline` frames are averaged. */
  NS.subtracted = function (voxels, frameSize, baseline) {
    const base = new Float32Array(frameSize);
    for (let frame = 0; frame < baseline; frame++) {
      for (let n = 0; n < frameSize; n++) base[n] += voxels[frame * frameSize + n] / baseline;
    }
    const out = new Int16Array(voxels.length);
    for (let n = 0; n < voxels.length; n++) {
      out[n] = Math.max(-32768, Math.min(32767, Math.round(voxels[n] - base[n % frameSize])));
    }
    return out;
  };
})();
