/* Pre beside post: the acquired plane twice, the frame that is shown on the left and the mean of the frames before
   contrast on the right, at the same slice and in the same window. The right picture is drawn here, from voxels the
   browser already holds. */
(function () {
  "use strict";
  const NS = (window.spinehub = window.spinehub || {});
  const picture = document.createElement("canvas");
  let drawn = "";

  /* Mean of the baseline frames on one slice, as grey levels, in voxel order (u across, v up). */
  function drawSlice(viewer, tile, depth) {
    const { volume, order, info } = viewer, { size, step, start } = order;
    const [low, high] = viewer.subtracting ? info.window : [volume.cal_min, volume.cal_max];
    const key = [viewer.shown.image, tile.plane, depth, low, high].join();
    if (key === drawn) return;
    const nu = size[tile.u], nv = size[tile.v], frames = info.baseline_frames || 1;
    const voxels = viewer.original ? viewer.original.voxels : volume.img;
    const slope = volume.hdr.scl_slope || 1, offset = viewer.original ? viewer.original.offset : volume.hdr.scl_inter;
    picture.width = nu; picture.height = nv;
    const ctx = picture.getContext("2d"), image = ctx.createImageData(nu, nv);
    for (let v = 0; v < nv; v++) {
      for (let u = 0; u < nu; u++) {
        const place = start + u * step[tile.u] + v * step[tile.v] + depth * step[tile.w];
        let sum = 0;
        for (let frame = 0; frame < frames; frame++) sum += voxels[frame * volume.nVox3D + place];
        const grey = (255 * ((sum / frames) * slope + offset - low)) / (high - low), at = 4 * (u + nu * v);
        image.data[at] = image.data[at + 1] = image.data[at + 2] = grey;
        image.data[at + 3] = 255;
      }
    }
    ctx.putImageData(image, 0, 0);
    drawn = key;
  }

  function caption(ctx, text, x, y, scale) {
    ctx.font = `${12 * scale}px system-ui, sans-serif`;
    ctx.textAlign = "left"; ctx.textBaseline = "top"; ctx.lineJoin = "round";
    ctx.strokeStyle = "rgba(0, 0, 0, 0.85)"; ctx.lineWidth = 3 * scale; ctx.strokeText(text, x, y);
    ctx.fillStyle = "#d7dde3"; ctx.fillText(text, x, y);
  }

  /* Paint the picture before contrast beside the tile of the acquired plane; `over` paints mask and crosshair. */
  NS.paintBeside = function (viewer, ctx, tile, at, scale, over) {
    const shift = viewer.nv.gl.canvas.width / 2, pad = 5 * scale, panel = viewer.panelOf(tile.plane);
    drawSlice(viewer, tile, at[tile.w]);
    const nu = picture.width, nv = picture.height, x0 = tile.across(0), y0 = tile.up(0);
    ctx.save();
    ctx.translate(shift, 0);
    ctx.beginPath(); ctx.rect(tile.left, tile.top, tile.width, tile.height); ctx.clip();
    ctx.save();
    ctx.transform((tile.across(nu) - x0) / nu, 0, 0, (tile.up(nv) - y0) / nv, x0, y0);
    ctx.drawImage(picture, 0, 0);
    ctx.restore();
    over();
    ctx.restore();
    const shown = viewer.subtracting ? "frame minus baseline" : `frame ${viewer.frame + 1}`;
    caption(ctx, shown, panel.left + pad, panel.top + pad, scale);
    caption(ctx, "before contrast", panel.left + shift + pad, panel.top + pad, scale);
  };
})();
