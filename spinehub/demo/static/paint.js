/* What lies over the slices: outline of the mask, seeds, crosshair, letters, ruler, slice numbers.

   Drawn on a 2-D canvas above NiiVue's, in device pixels, after every scene NiiVue draws. All text goes through
   fillText, so nothing a file says can become markup. */
(function () {
  "use strict";
  const NS = (window.spinehub = window.spinehub || {});
  const LETTERS = [["R", "L", "A", "P"], ["R", "L", "S", "I"], ["A", "P", "S", "I"]];
  const PLANES = ["axial", "coronal", "sagittal"];
  const IN_PLANE = [[0, 1], [0, 2], [1, 2]];
  const OUTLINE = "#f2a93b";

  /* Geometry of one tile: RAS axes across (u), up (v) and through (w), and where voxel edges fall on the canvas. */
  function tileOf(nv, slice, size) {
    const plane = slice.axCorSag, [u, v] = IN_PLANE[plane], w = 3 - u - v;
    const low = nv.frac2mm([0, 0, 0]), high = nv.frac2mm([1, 1, 1]);
    const [left, top, width, height] = slice.leftTopWidthHeight;
    const across = (edge) => {
      const mm = low[u] + (edge / size[u]) * (high[u] - low[u]);
      return left + ((mm - slice.leftTopMM[0]) / slice.fovMM[0]) * width;
    };
    const up = (edge) => {
      const mm = low[v] + (edge / size[v]) * (high[v] - low[v]);
      return top + (1 - (mm - slice.leftTopMM[1]) / slice.fovMM[1]) * height;
    };
    return { plane, u, v, w, left, top, width, height, across, up, pixelsPerMm: Math.abs(width / slice.fovMM[0]) };
  }

  function paintOutline(ctx, tile, bitmap, size, depth, scale) {
    const stride = [1, size[0], size[0] * size[1]];
    const su = stride[tile.u], sv = stride[tile.v], nu = size[tile.u], nv = size[tile.v];
    const base = depth * stride[tile.w];
    const inside = (u, v) => u >= 0 && v >= 0 && u < nu && v < nv && bitmap[base + u * su + v * sv] > 0;
    const path = new Path2D();
    for (let v = 0; v < nv; v++) {
      for (let u = 0; u < nu; u++) {
        if (!inside(u, v)) continue;
        const x0 = tile.across(u), x1 = tile.across(u + 1), y0 = tile.up(v), y1 = tile.up(v + 1);
        if (!inside(u - 1, v)) { path.moveTo(x0, y0); path.lineTo(x0, y1); }
        if (!inside(u + 1, v)) { path.moveTo(x1, y0); path.lineTo(x1, y1); }
        if (!inside(u, v - 1)) { path.moveTo(x0, y0); path.lineTo(x1, y0); }
        if (!inside(u, v + 1)) { path.moveTo(x0, y1); path.lineTo(x1, y1); }
      }
    }
    ctx.lineCap = "square";
    ctx.strokeStyle = "rgba(0, 0, 0, 0.55)"; ctx.lineWidth = 3.5 * scale; ctx.stroke(path);
    ctx.strokeStyle = OUTLINE; ctx.lineWidth = 1.8 * scale; ctx.stroke(path);
  }

  function paintSeed(ctx, x, y, background, scale) {
    const r = 5 * scale;
    ctx.beginPath(); ctx.arc(x, y, r, 0, 2 * Math.PI);
    ctx.fillStyle = background ? "rgba(10, 14, 20, 0.75)" : "#ffffff"; ctx.fill();
    ctx.lineWidth = 1.6 * scale; ctx.strokeStyle = background ? "#ffffff" : "#0b1118"; ctx.stroke();
    ctx.beginPath(); ctx.moveTo(x - r * 0.55, y); ctx.lineTo(x + r * 0.55, y);
    if (!background) { ctx.moveTo(x, y - r * 0.55); ctx.lineTo(x, y + r * 0.55); }
    ctx.stroke();
  }

  function paintCrosshair(ctx, tile, x, y, scale) {
    const gap = 9 * scale;
    ctx.strokeStyle = "rgba(120, 190, 230, 0.6)"; ctx.lineWidth = scale;
    ctx.beginPath();
    for (const [from, to] of [[tile.left, x - gap], [x + gap, tile.left + tile.width]]) {
      if (to > from) { ctx.moveTo(from, y); ctx.lineTo(to, y); }
    }
    for (const [from, to] of [[tile.top, y - gap], [y + gap, tile.top + tile.height]]) {
      if (to > from) { ctx.moveTo(x, from); ctx.lineTo(x, to); }
    }
    ctx.stroke();
  }

  function write(ctx, text, x, y, align, baseline) {
    ctx.textAlign = align; ctx.textBaseline = baseline;
    ctx.strokeStyle = "rgba(0, 0, 0, 0.85)"; ctx.lineWidth = 3; ctx.lineJoin = "round";
    ctx.strokeText(text, x, y);
    ctx.fillStyle = "#d7dde3"; ctx.fillText(text, x, y);
  }

  function paintLetters(ctx, panel, plane, pad) {
    const [left, right, top, bottom] = LETTERS[plane];
    const middle = panel.left + panel.width / 2, centre = panel.top + panel.height / 2;
    write(ctx, left, panel.left + pad, centre, "left", "middle");
    write(ctx, right, panel.left + panel.width - pad, centre, "right", "middle");
    write(ctx, top, middle, panel.top + pad, "center", "top");
    write(ctx, bottom, middle, panel.top + panel.height - pad, "center", "bottom");
  }

  /* Ruler that ends at `right`. */
  function paintRuler(ctx, tile, right, y, scale) {
    const lengths = [100, 50, 20, 10, 5];
    const mm = lengths.find((length) => length * tile.pixelsPerMm <= tile.width * 0.3) || 5;
    const length = mm * tile.pixelsPerMm, tick = 4 * scale;
    const x = right - ctx.measureText(`${mm} mm`).width - 6 * scale - length;
    ctx.strokeStyle = "#d7dde3"; ctx.lineWidth = 1.5 * scale;
    ctx.beginPath();
    ctx.moveTo(x, y); ctx.lineTo(x + length, y);
    ctx.moveTo(x, y - tick); ctx.lineTo(x, y + tick);
    ctx.moveTo(x + length, y - tick); ctx.lineTo(x + length, y + tick);
    ctx.stroke();
    write(ctx, `${mm} mm`, x + length + 6 * scale, y, "left", "middle");
  }

  /* Paint everything over the current scene of `viewer` (see viewer.js). */
  NS.paint = function (viewer) {
    const { nv, layer, info } = viewer, ctx = layer.getContext("2d");
    const source = nv.gl.canvas;
    if (layer.width !== source.width || layer.height !== source.height) {
      layer.width = source.width; layer.height = source.height;
    }
    ctx.clearRect(0, 0, layer.width, layer.height);
    if (!viewer.order || !nv.volumes.length || viewer.rendering) return;
    const scale = nv.uiData.dpr || 1, size = viewer.order.size, pad = 5 * scale;
    const at = nv.frac2vox(nv.scene.crosshairPos), index = viewer.crosshairIndex();
    ctx.font = `${12 * scale}px system-ui, sans-serif`;
    for (const slice of nv.screenSlices) {
      // NiiVue draws the layout before once more while another one is set.
      if (slice.axCorSag > 2 || !(PLANES[slice.axCorSag] in viewer.layout())) continue;
      const tile = tileOf(nv, slice, size), panel = viewer.panelOf(tile.plane);
      ctx.save();
      ctx.beginPath(); ctx.rect(tile.left, tile.top, tile.width, tile.height); ctx.clip();
      if (viewer.showsOutline()) paintOutline(ctx, tile, nv.drawBitmap, size, at[tile.w], scale);
      NS.paintMarks(viewer, ctx, tile, at, scale);
      paintCrosshair(ctx, tile, tile.across(at[tile.u] + 0.5), tile.up(at[tile.v] + 0.5), scale);
      for (const seed of viewer.seeds) {
        if (seed.vox[tile.w] === at[tile.w]) {
          paintSeed(ctx, tile.across(seed.vox[tile.u] + 0.5), tile.up(seed.vox[tile.v] + 0.5), seed.background, scale);
        }
      }
      ctx.restore();
      if (viewer.beside) {
        NS.paintBeside(viewer, ctx, tile, at, scale, () => {
          if (viewer.showsOutline()) paintOutline(ctx, tile, nv.drawBitmap, size, at[tile.w], scale);
          paintCrosshair(ctx, tile, tile.across(at[tile.u] + 0.5), tile.up(at[tile.v] + 0.5), scale);
        });
      }
      paintLetters(ctx, panel, tile.plane, pad);
      const axis = info.array_axis[PLANES[tile.plane]], bottom = panel.top + panel.height - pad;
      const label = `${PLANES[tile.plane]} ${index[axis] + 1}/${info.shape[axis]}`;
      write(ctx, label, panel.left + pad, bottom, "left", "bottom");
      if (PLANES[tile.plane] === info.acquired) {
        paintRuler(ctx, tile, panel.left + panel.width - pad, bottom - 6 * scale, scale);
      }
    }
  };
  NS.PLANES = PLANES;
})();
