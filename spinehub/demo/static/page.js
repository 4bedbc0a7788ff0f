/* What moves on the page outside the viewer without a request: light and dark, volume and mark of the tolerance. */
(function () {
  "use strict";
  if (window.spinehubPage) return;
  window.spinehubPage = true;

  document.addEventListener("click", (event) => {
    if (event.target.closest("#sh-theme")) document.body.classList.toggle("dark");
  });

  /* "?" opens the definitions at the number it stands beside. */
  function define(name) {
    const dialog = document.getElementById("sh-definitions"), entry = document.getElementById(`sh-def-${name}`);
    if (!dialog || !entry) return;
    dialog.querySelectorAll(".sh-asked").forEach((old) => old.classList.remove("sh-asked"));
    entry.classList.add("sh-asked");
    if (!dialog.open) dialog.showModal();
    entry.scrollIntoView({ block: "start" });
    entry.focus({ preventScroll: true });
  }

  document.addEventListener("click", (event) => {
    const asked = event.target.closest("[data-define]"), closing = event.target.closest("[data-close]");
    if (asked) { event.preventDefault(); define(asked.dataset.define); }
    if (closing) document.getElementById(closing.dataset.close)?.close();
    if (event.target.matches("dialog.sh-dialog")) event.target.close();
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
