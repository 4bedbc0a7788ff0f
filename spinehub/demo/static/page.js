/* What moves on the page outside the viewer without a request: light and dark, volume and mark of the tolerance. */
(function () {
  "use strict";
  if (window.spinehubPage) return;
  window.spinehubPage = true;

  document.addEventListener("click", (event) => {
    if (event.target.closest("#sh-theme")) document.body.classList.toggle("dark");
  });

  document.addEventListener("spinehub:tolerance", (event) => {
    const { tolerance, volume_ml: volume, grown } = event.detail;
    const now = document.getElementById("sh-volume-now"), mark = document.getElementById("sh-tolerance-mark");
    if (now && grown) now.textContent = `${volume.toFixed(volume < 10 ? 2 : 1)} ml`;
    if (!mark) return;
    const top = Number(mark.dataset.top), place = 4 + 232 * Math.min(1, tolerance / top);
    mark.setAttribute("x1", String(place)); mark.setAttribute("x2", String(place));
  });
})();
