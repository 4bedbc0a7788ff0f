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

  /* The prior dial: odds for equal priors times the odds of the prior; what the methods said stays as it is. */
  const PRIORS_EQUAL = 50;

  function ageRatio() {
    const box = document.getElementById("sh-age");
    if (!box || box.value === "") return 1;
    return JSON.parse(box.dataset.ratios)[Math.round(Number(box.value)) - Number(box.dataset.first)] ?? NaN;
  }

  function applyPrior() {
    const dial = document.getElementById("sh-prior");
    if (!dial) return;
    const share = Number(dial.value), ratio = ageRatio(), note = document.getElementById("sh-age-note");
    const write = (node, text) => { if (node && node.textContent !== text) node.textContent = text; };
    write(document.getElementById("sh-prior-now"), dial.value);
    const factor = ratio < 1 ? `${(1 / ratio).toPrecision(2)} times rarer` : `${ratio.toPrecision(2)} times commoner`;
    let said = ratio === 1 ? "" : `By published ages ${factor} in primary tumours than in metastases.`;
    if (Number.isNaN(ratio)) said = "Ages are known from 10 to 88 years.";
    write(note, said);
    for (const route of document.querySelectorAll(".sh-route[data-metastasis]")) {
      const p = Number(route.dataset.metastasis), moved = share !== PRIORS_EQUAL || ratio !== 1;
      const after = (p * (100 - share)) / (p * (100 - share) + (1 - p) * share * ratio);
      const text = moved && !Number.isNaN(after) ? `with your prior: ${after.toFixed(2)} metastasis` : "";
      write(route.querySelector(".sh-route-prior"), text);
    }
  }

  document.addEventListener("input", (event) => { if (event.target.matches("#sh-prior, #sh-age")) applyPrior(); });
  let watched = null;
  new MutationObserver(() => {
    const result = document.getElementById("sh-result");
    if (!result || result === watched) return;
    watched = result;
    new MutationObserver(applyPrior).observe(result, { childList: true, subtree: true });
    applyPrior();
  }).observe(document.documentElement, { childList: true, subtree: true });

  /* A link with the seeds and settings of this view: numbers only, nothing of the image. */
  function linkOf(viewer) {
    if (viewer.info.teaching) return `${location.origin}${location.pathname}?teaching=${viewer.info.teaching}`;
    const place = (seed) => seed.mm.map((mm) => Math.round(1000 * mm) / 1000).join(",");
    const list = (background) => viewer.info.seeds.filter((seed) => seed.background === background).map(place).join(";");
    const query = new URLSearchParams({ seeds: list(false), tolerance: viewer.tolerance, reach: viewer.info.reach_mm });
    if (list(true)) query.set("background", list(true));
    if (viewer.info.own_image) query.set("image", "own");
    return `${location.origin}${location.pathname}?${query}`;
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("#sh-copy-link"), viewer = window.spinehubViewer;
    if (!button || !(viewer?.info?.seeds.length || viewer?.info?.teaching)) return;
    button.dataset.link = linkOf(viewer);
    try { await navigator.clipboard.writeText(button.dataset.link); button.textContent = "Link copied"; }
    catch { window.prompt("Copy this link", button.dataset.link); }
    setTimeout(() => { button.textContent = "Copy a link"; }, 2500);
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(button.closest(".sh-code").querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2500);
  });

  document.addEventListener("click", (event) => {
    const overlay = event.target.closest("[data-overlay]")?.dataset.overlay;
    if (!overlay) return;
    window.spinehubViewer?.controls.showOverlay(overlay);
    document.getElementById("sh-viewer")?.scrollIntoView({ block: "nearest" });
  });

  /* A proposal of the U-Net: go there and put a seed at its deepest point. */
  document.addEventListener("click", (event) => {
    const place = event.target.closest("[data-propose]")?.dataset.propose;
    if (place) window.spinehubViewer?.pickAt(place.split(",").map(Number), false);
    const route = event.target.closest("[data-occlude]")?.dataset.occlude;
    if (route) window.spinehubViewer?.occlude(route);
    const tissue = event.target.closest("[data-unreference]")?.dataset.unreference;
    if (tissue) window.spinehubViewer?.trigger("unreference", { tissue });
  });

  document.addEventListener("spinehub:tolerance", (event) => {
    const { tolerance, volume_ml: volume, grown } = event.detail;
    const now = document.getElementById("sh-volume-now"), mark = document.getElementById("sh-tolerance-mark");
    if (now && grown) now.textContent = `${volume.toFixed(volume < 10 ? 2 : 1)} ml`;
    if (!mark) return;
    const top = Number(mark.dataset.top), place = 4 + 232 * Math.min(1, tolerance / top);
    mark.setAttribute("x1", String(place)); mark.setAttribute("x2", String(place));
  });

  /* A slider moved by keys is let go shortly after the last key; the component itself only hears pointers. */
  const KEYS = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End"]);
  let released;
  document.addEventListener("keyup", (event) => {
    if (!KEYS.has(event.key) || !event.target.matches?.("input[type=range]")) return;
    clearTimeout(released);
    released = setTimeout(() => event.target.dispatchEvent(new PointerEvent("pointerup", { bubbles: true })), 400);
  });
})();
