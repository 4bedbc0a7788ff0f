/* What follows the crosshair beside the image, without a request: the curve of its voxel, and the number boxes. */
(function () {
  "use strict";
  const NS = (window.spinehub = window.spinehub || {});

  /* Signal of a voxel (i, j, k) in every frame the browser holds, whatever is shown; null outside the volume. */
  NS.voxelSignal = function (viewer, [i, j, k]) {
    const { volume, original, info } = viewer, [ni, nj, nk] = info.shape;
    if (i < 0 || j < 0 || k < 0 || i >= ni || j >= nj || k >= nk) return null;
    const voxels = original ? original.voxels : volume.img;
    const offset = original ? original.offset : volume.hdr.scl_inter, slope = volume.hdr.scl_slope || 1;
    const first = i + ni * (j + nj * k);
    return Array.from({ length: viewer.frameCount }, (_, frame) => voxels[first + frame * volume.nVox3D] * slope + offset);
  };

  /* The same in % over the baseline, as everywhere in spinehub: S0 is the mean of the frames before contrast. Null
     where there is no curve: one frame, or S0 not above 0. */
  NS.voxelEnhancement = function (viewer, index) {
    const signal = NS.voxelSignal(viewer, index), count = viewer.info.baseline_frames;
    if (!signal || signal.length < 2 || !count) return null;
    const s0 = signal.slice(0, count).reduce((sum, value) => sum + value, 0) / count;
    return s0 > 0 ? signal.map((value) => (100 * (value - s0)) / s0) : null;
  };

  /* Corners of the line in the drawing of plots.py, which tells where its axes lie. */
  NS.curvePoints = function (axes, shown, enhancement) {
    const [x0, x1, y0, y1] = axes.limits, [left, top, width, height] = axes.box;
    return enhancement.map((value, n) => [
      left + ((axes.x[shown[n]] - x0) / (x1 - x0)) * width, top + ((y1 - value) / (y1 - y0)) * height]);
  };

  function sentence(axes, viewer, index, enhancement) {
    const name = `Crosshair, voxel ${index.join(", ")}: `;
    if (!enhancement) return `${name}no signal before contrast, so no curve.`;
    const after = enhancement.slice(viewer.info.baseline_frames), peak = Math.max(...after);
    const time = axes.x[viewer.info.shown_frames[viewer.info.baseline_frames + after.indexOf(peak)]];
    const when = axes.unit.startsWith("frame") ? `in frame ${time}` : `at ${Math.round(time)} ${axes.unit}`;
    const beyond = enhancement.some((value) => value < axes.limits[2] || value > axes.limits[3]);
    const said = String(Math.round(peak)).replace("-", "\u2212");
    return `${name}peak ${said} % ${when}${beyond ? "; its curve leaves the axes" : ""}.`;
  }

  NS.drawCrosshairCurve = function (viewer) {
    const line = document.getElementById("sh-crosshair-curve");
    if (!line || !viewer.volume || !viewer.info?.shown_frames) return;
    const axes = JSON.parse(line.dataset.axes), { shown_frames: shown } = viewer.info, index = viewer.crosshairIndex();
    // The drawing may still be that of the case before, or already that of the next.
    const fits = shown.length === viewer.frameCount && axes.x.length === shown[shown.length - 1] + 1;
    const enhancement = fits ? NS.voxelEnhancement(viewer, index) : null;
    const points = enhancement ? NS.curvePoints(axes, shown, enhancement) : [];
    line.setAttribute("points", points.map((point) => point.map((n) => n.toFixed(2)).join(",")).join(" "));
    const said = document.getElementById("sh-crosshair-said"), text = fits ? sentence(axes, viewer, index, enhancement) : "";
    if (said && said.textContent !== text) said.textContent = text;
  };

  /* The boxes show where the crosshair is; what someone is typing there stays. */
  NS.followInBoxes = function (viewer) {
    const index = viewer.crosshairIndex(), boxes = [...document.querySelectorAll(".sh-boxes input")];
    if (boxes.length !== 3 || boxes.includes(document.activeElement) || index.join() === viewer.boxed) return;
    viewer.boxed = index.join();
    boxes.forEach((box, n) => {
      box.value = String(index[n]);
      box.dispatchEvent(new Event("input", { bubbles: true }));
    });
  };

  /* The server draws the axes anew with every answer; the line is laid into each. */
  let watched = null;
  new MutationObserver(() => {
    const panel = document.getElementById("sh-curve");
    if (!panel || panel === watched) return;
    watched = panel;
    let line = null;
    new MutationObserver(() => {
      const now = document.getElementById("sh-crosshair-curve");
      if (now === line) return;
      line = now;
      if (window.spinehubViewer) NS.drawCrosshairCurve(window.spinehubViewer);
    }).observe(panel, { childList: true, subtree: true });
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
