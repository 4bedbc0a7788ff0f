/* Marks beside mask and seeds: reference regions, and lesions the U-Net proposes, as numbered rings. The latter are read
   from the list on the page, so that a ring and its button never say different things. */
(function () {
  "use strict";
  const NS = (window.spinehub = window.spinehub || {});
  const RING_MM = 7;
  let proposals = [];

  function place(viewer, mm) {
    return Array.from(viewer.nv.frac2vox(viewer.nv.mm2frac([...mm, 1], 0, true)));
  }

  function ring(ctx, x, y, radius, scale, colour) {
    ctx.beginPath(); ctx.arc(x, y, radius, 0, 2 * Math.PI);
    ctx.strokeStyle = "rgba(0, 0, 0, 0.6)"; ctx.lineWidth = 3.4 * scale; ctx.stroke();
    ctx.strokeStyle = colour; ctx.lineWidth = 1.6 * scale; ctx.stroke();
  }

  function label(ctx, text, x, y, scale) {
    ctx.font = `600 ${12 * scale}px system-ui, sans-serif`;
    ctx.textAlign = "left"; ctx.textBaseline = "bottom"; ctx.lineJoin = "round";
    ctx.strokeStyle = "rgba(0, 0, 0, 0.85)"; ctx.lineWidth = 3 * scale; ctx.strokeText(text, x, y);
    ctx.fillStyle = "#ffffff"; ctx.fillText(text, x, y);
  }

  /* Paint the marks of one tile; `at` is the crosshair's voxel. */
  NS.paintMarks = function (viewer, ctx, tile, at, scale) {
    ctx.save();
    for (const { rank, mm } of proposals) {
      const vox = place(viewer, mm);
      if (Math.abs(vox[tile.w] - at[tile.w]) > 1) continue;
      const x = tile.across(vox[tile.u] + 0.5), y = tile.up(vox[tile.v] + 0.5), radius = RING_MM * tile.pixelsPerMm;
      ctx.setLineDash([5 * scale, 3 * scale]);
      ring(ctx, x, y, radius, scale, "#7cc4e4");
      label(ctx, rank, x + 0.75 * radius, y - 0.75 * radius, scale);
    }
    ctx.setLineDash([]);
    for (const { mm, tissue, radius_mm: radius } of viewer.info.references || []) {
      const vox = place(viewer, mm);
      if (vox[tile.w] !== at[tile.w] || NS.PLANES[tile.plane] !== viewer.info.acquired) continue;
      const x = tile.across(vox[tile.u] + 0.5), y = tile.up(vox[tile.v] + 0.5), size = radius * tile.pixelsPerMm;
      ring(ctx, x, y, size, scale, "#8fe08f");
      label(ctx, tissue, x + size, y - 0.4 * size, scale);
    }
    ctx.restore();
  };

  function readProposals() {
    proposals = Array.from(document.querySelectorAll("#sh-proposals [data-propose]"), (button) => (
      { rank: button.dataset.rank, mm: button.dataset.propose.split(",").map(Number) }));
    if (window.spinehubViewer?.volume) NS.paint(window.spinehubViewer);
  }

  let watched = null;
  new MutationObserver(() => {
    const panel = document.getElementById("sh-proposals");
    if (!panel || panel === watched) return;
    watched = panel;
    new MutationObserver(readProposals).observe(panel, { childList: true, subtree: true });
    readProposals();
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
